"""Values of JSON that somebody else wrote: what has another type than expected counts as missing."""

from typing import Any

from unicode_text import storable

MAX_INTEGER = 2**63 - 1  # the largest that SQLite can store


def as_dict(value: object) -> dict[str, Any]:
    """Return an object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """Return an array, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def as_string(value: object) -> str:
    """Return a string that can be stored, or "" in place of anything else."""
    return storable(value) if isinstance(value, str) else ""
