"""The conversation with Telegram: updates in, replies out, both without loss."""
