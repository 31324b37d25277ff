"""Whether the API lives, whether it can answer, and its metrics."""
