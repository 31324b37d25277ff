"""Whether anything was lost."""
