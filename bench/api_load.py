"""The load of `api.py`: questions over kept connections, from a process of its own that costs little.

    python bench/api_load.py PORT FILE --connections 8 --seconds 5

FILE is a JSON array of whole HTTP requests as text. Each connection asks them in turn, beginning at another one, and
asks the next when it has the answer. Prints a JSON object: what `load.run_all` found.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from load import Connection, run_all


def main() -> int:
    """Ask and report."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5.0)
    arguments = parser.parse_args()
    requests = [text.encode() for text in json.loads(arguments.file.read_bytes())]
    askers = [Connection(arguments.port) for _ in range(arguments.connections)]
    for asker in askers:
        asker.connect()

    def run(number: int, began: float) -> None:
        asked = number
        while (now := time.perf_counter()) < began + arguments.seconds:
            askers[number].ask(requests[asked % len(requests)], now)
            asked += 1

    json.dump(run_all(askers, run), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
