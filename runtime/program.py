"""`python -m runtime.program MODULE ARGUMENTS…`: runs a module as `python -m MODULE` does, and starts it faster.

While a program imports its modules nothing becomes garbage, yet Python looks for it after every 700 new objects: a
tenth of the time that Dagster's imports take.
"""

import gc
import runpy
import sys

_THRESHOLD = 50_000


def main() -> None:
    """Run the module that the command line names."""
    gc.set_threshold(_THRESHOLD, 20, 20)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
