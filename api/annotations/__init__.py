"""Annotations: notes on instants and ranges of time."""
