"""Carries sealed segments from the spool into ClickHouse, each of them once."""
