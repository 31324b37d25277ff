"""Cohorts that were saved, which query documents name like those of files."""
