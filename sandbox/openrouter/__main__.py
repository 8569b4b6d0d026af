"""Serve an emulated OpenRouter alone: `python -m sandbox.openrouter`."""

from aiohttp import web

from sandbox.openrouter import EmulatedGateway, application

web.run_app(application(EmulatedGateway()), host="127.0.0.1", port=8001)
