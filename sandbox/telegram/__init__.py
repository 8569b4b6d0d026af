"""The emulated Telegram: the Bot API over real HTTP, as strict as the real one, with faults on request.

The bot connects to the web application that `application(world)` returns. Tests, benchmarks and the browser chat
act as people: in the same process through the methods of `World`, from another process through /control/….
"""

from sandbox.telegram.entities import parse_html
from sandbox.telegram.faults import Faults
from sandbox.telegram.http_api import application
from sandbox.telegram.methods import METHODS, call_method
from sandbox.telegram.people import from_channel, from_chat, from_hidden_user, from_user, person
from sandbox.telegram.world import BOT, TOKEN, World

__all__ = [
    "BOT",
    "METHODS",
    "TOKEN",
    "Faults",
    "World",
    "application",
    "call_method",
    "from_channel",
    "from_chat",
    "from_hidden_user",
    "from_user",
    "parse_html",
    "person",
]
