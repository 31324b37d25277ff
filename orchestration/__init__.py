"""Dagster's view of the pipeline: what runs, when, and what it checks."""
