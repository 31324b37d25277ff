"""What every run of dbt does first, done once by the process that runs are forked from.

dbt builds the schemas and readers of its classes when they are first used, and compiles the templates of macros when
they are first called: half of what it computes in a short run. Templates are kept by their text, so that a macro of
another project is another one. Only the server of `dbt_runs` imports this.
"""

import gc
import tempfile
from pathlib import Path

from dbt.cli.main import dbtRunner, dbtRunnerResult
from dbt.contracts.graph.manifest import Manifest
from dbt_common.clients.jinja import template_cache

_PROJECT = Path(__file__).parents[2] / "dbt_project"


def _parse(to: str) -> dbtRunnerResult:
    # The static parser has threads of its own: a process that is forked has none of them, and waits for them for ever.
    options = ["--no-static-parser", "--quiet", "--log-level", "none", "--log-level-file", "none", "--log-path", to]
    where = ["--project-dir", str(_PROJECT), "--profiles-dir", str(_PROJECT), "--target-path", to]
    return dbtRunner().invoke(["parse", *where, *options])


with tempfile.TemporaryDirectory() as _written:
    _parse(_written)
    # From what was parsed before: to read that is something else again.
    _parsed = _parse(_written)
# Where the project is broken, the runs say so.
if isinstance(_parsed.result, Manifest):
    for _macro in _parsed.result.macros.values():
        template_cache.get_node_template(_macro)

# What stands here is never garbage, and to look at it in a fork would copy its pages.
gc.collect()
gc.freeze()
