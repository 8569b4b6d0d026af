"""The bot without pacing, for a server without limits, such as the sandbox.

Run it as `python -m sandbox.bot_without_limits`.
"""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = (sys.executable, str(Path(__file__).resolve()))  # runs it in any folder

if __name__ == "__main__":
    sys.path[0] = str(ROOT)
    import bot
    from telegram.pacing import NO_LIMITS

    sys.exit(bot.main(sys.argv[1:], NO_LIMITS))
