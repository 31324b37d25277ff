"""How steps behave when an engine restarts under them."""

import dagster as dg

# The supervisor brings an engine back within seconds; after 5 + 10 s a fault is not a restart.
ENGINE_RESTARTS = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL)
