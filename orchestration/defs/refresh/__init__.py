"""The job over everything, and when it runs."""
