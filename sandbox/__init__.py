"""Telegram and OpenRouter played on this machine: for a chat without an account, for tests and benchmarks."""
