"""The faults that the emulated Telegram shows on request."""

import random
from dataclasses import dataclass, field
from typing import Any

PROBABLE_FAULTS = ("drop_before", "drop_after", "too_many", "bad_gateway", "captive_portal")


@dataclass
class Faults:
    """Probabilities of faults, from 0 to 1, for calls of the named methods; for all methods if none is named."""

    drop_before: float = 0.0  # the connection breaks before the call takes effect
    drop_after: float = 0.0  # the connection breaks after the call took effect
    too_many: float = 0.0  # status 429
    bad_gateway: float = 0.0  # status 502
    captive_portal: float = 0.0  # something on the way answers in Telegram's place, with this status and body:
    portal_status: int = 403
    portal_body: str = "<html><h1>Sign in to this network</h1></html>"
    retry_after: Any = 1  # the seconds that a 429 asks to wait
    delay_s: float = 0.0  # emulated round trip: a delay before every response
    methods: frozenset[str] = frozenset()
    offline: bool = False  # every connection breaks
    generator: random.Random = field(default_factory=lambda: random.Random(1))

    def draw(self, method: str) -> str:
        """Return the name of the fault that a call meets, or "" for none."""
        if self.offline:
            return "drop_before"
        if self.methods and method not in self.methods:
            return ""
        number = self.generator.random()
        for name in PROBABLE_FAULTS:
            number -= getattr(self, name)
            if number < 0:
                return name
        return ""
