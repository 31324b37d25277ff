"""Mends the engine's deduplication logs after a kill.

A MergeTree table with `non_replicated_deduplication_window` writes an insert's token down before the insert's part is
committed. A process that is killed between the two leaves a token without rows: the client, which got no answer, sends
the same rows again, and the engine ignores them. So before the engine starts, tokens of parts that are not there are
taken out of the logs.
"""

import os
import re
from bisect import bisect_right
from collections import defaultdict
from pathlib import Path

_PART = re.compile(r"(?P<partition>.+)_(?P<first>\d+)_(?P<last>\d+)_\d+(?:_\d+)?")
_ADDED = "1"
_Ranges = list[tuple[int, int]]


def forget_lost_inserts(engine_directory: Path) -> int:
    """Take the tokens of parts that no table holds out of the logs, and return how many those were.

    To be called while no engine runs on the directory. Raises OSError.
    """
    return sum(_mend(logs, engine_directory) for logs in engine_directory.glob("store/*/*/deduplication_logs"))


def _mend(logs: Path, scratch: Path) -> int:
    held = _held_by(logs.parent)
    forgotten = 0
    for log in logs.glob("deduplication_log_*.txt"):
        lines = log.read_text(errors="surrogateescape").splitlines(keepends=True)
        kept = [line for line in lines if not _is_lost(line, held)]
        if len(kept) < len(lines):
            forgotten += len(lines) - len(kept)
            _replace(log, "".join(kept), scratch)
    return forgotten


def _held_by(table: Path) -> dict[str, _Ranges]:
    """Return the block numbers that a table's parts hold, by partition, as ascending ranges apart from each other."""
    found: defaultdict[str, _Ranges] = defaultdict(list)
    for entry in table.iterdir():
        part = _PART.fullmatch(entry.name)
        if part is not None and not entry.name.startswith(("tmp", "delete_tmp")) and entry.is_dir():
            found[part["partition"]].append((int(part["first"]), int(part["last"])))
    held: dict[str, _Ranges] = {}
    for partition, ranges in found.items():
        apart: _Ranges = []
        for first, last in sorted(ranges):
            # Parts that were merged stay beside the merged one for some minutes.
            if apart and first <= apart[-1][1]:
                apart[-1] = (apart[-1][0], max(last, apart[-1][1]))
            else:
                apart.append((first, last))
        held[partition] = apart
    return held


def _is_lost(line: str, held: dict[str, _Ranges]) -> bool:
    """Say whether a line `1 <part> <token>` is about a part that is neither there nor merged into another one."""
    kind, _, rest = line.partition("\t")
    part = _PART.fullmatch(rest.partition("\t")[0])
    if kind != _ADDED or part is None:
        return False
    block = int(part["first"])
    ranges = held.get(part["partition"], [])
    place = bisect_right(ranges, (block, block))
    return not any(first <= block <= last for first, last in ranges[max(place - 1, 0) : place + 1])


def _replace(log: Path, text: str, scratch: Path) -> None:
    # Not beside the log: the engine reads every file there.
    new = scratch / "deduplication_log.new"
    with new.open("w", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(log)
