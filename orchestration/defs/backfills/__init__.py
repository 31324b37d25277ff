"""Days that are made anew on request."""
