"""Links by which whoever has one sees a dashboard or an insight, and nothing else."""
