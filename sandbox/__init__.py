"""Telegram and OpenRouter emulated on this machine: for a chat without an account, tests and benchmarks."""
