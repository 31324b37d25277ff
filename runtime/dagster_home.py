"""DAGSTER_HOME: the generated configuration of Dagster's processes."""

from pathlib import Path

from runtime.ports import LOOPBACK

LOCATION = "radixinsight"

# One run at a time: two runs would build the same tables side by side on a machine with few cores. Where that is
# raised, the pools still let one run at a time build the models; whole runs are counted, because a place that a step
# holds outlives a worker that is killed. Run monitoring fails the runs whose worker died with the machine, so that they
# don't hold the one place in the queue.
_INSTANCE = """\
storage:
  postgres:
    postgres_url:
      env: DAGSTER_POSTGRES_URL
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  runs:
    max_concurrent_runs: 1
  pools:
    default_limit: 1
    granularity: run
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
  cancel_timeout_seconds: 60
  max_runtime_seconds: 7200
  poll_interval_seconds: 30
run_retries:
  enabled: true
  max_retries: 1
retention:
  schedule:
    purge_after_days:
      skipped: 3
      failure: 14
      success: 7
  sensor:
    purge_after_days:
      skipped: 1
      failure: 14
      success: 7
local_artifact_storage:
  module: dagster._core.storage.root
  class: LocalArtifactStorage
  config:
    base_dir: {home}
compute_logs:
  module: dagster._core.storage.local_compute_log_manager
  class: LocalComputeLogManager
  config:
    base_dir: {home}/compute_logs
"""

_WORKSPACE = """\
load_from:
  - grpc_server:
      host: {host}
      port: {port}
      location_name: {location}
"""


def storage_url(url: str) -> str:
    """Return the address for Dagster's storage, which is written for psycopg2.

    SQLAlchemy takes psycopg 3 for a plain `postgresql://`; under it the webserver closes each connection on opening it.
    """
    return "postgresql+psycopg2://" + url.split("://", 1)[1]


def prepare(home: Path, code_server_port: int) -> None:
    """Write dagster.yaml and workspace.yaml anew: they follow from the settings of this start."""
    (home / "compute_logs").mkdir(parents=True, exist_ok=True)
    (home / "dagster.yaml").write_text(_INSTANCE.format(home=home))
    (home / "workspace.yaml").write_text(_WORKSPACE.format(host=LOOPBACK, port=code_server_port, location=LOCATION))
