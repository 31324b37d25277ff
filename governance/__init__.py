"""PII and quality of the landing data: plain Python, no Dagster. Settings and clients are passed in."""
