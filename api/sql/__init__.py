"""Analysts' own SQL over their project's marts: read, checked, written anew, and run."""
