"""API keys: who asks, and for which project."""
