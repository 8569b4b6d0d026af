"""What it costs: scripts that print tables."""
