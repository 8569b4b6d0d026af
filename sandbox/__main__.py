"""Start the sandbox: `python -m sandbox`."""

import sys

import texts

if sys.version_info < (3, 11):
    sys.exit(texts.PYTHON_TOO_OLD)

from sandbox import launcher

sys.exit(launcher.main())
