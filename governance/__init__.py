"""PII, quality, erasure, retention, lineage: plain Python, no Dagster."""
