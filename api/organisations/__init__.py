"""Organisations, their members, and who is invited."""
