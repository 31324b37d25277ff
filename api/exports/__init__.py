"""Exports: events or persons of a project as one file, made in the background."""
