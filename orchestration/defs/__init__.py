"""The definitions, one folder per domain."""
