"""`radixinsight migrate`: bring the databases to the newest schema."""

import os
import subprocess
import sys

import typer

from runtime.commands.options import DataDirOption, PortBaseOption, settings_of_existing
from runtime.instance import Instance


def migrate(data_dir: DataDirOption = None, port_base: PortBaseOption = None) -> None:
    """Apply the missing ClickHouse and PostgreSQL migrations; the engines must run."""
    environment = dict(os.environ) | Instance.of(settings_of_existing(data_dir, port_base)).variables
    done = subprocess.run([sys.executable, "-m", "core.migrate"], env=environment, check=False)
    if done.returncode != 0:
        raise typer.Exit(done.returncode)
