"""How much memory processes use."""

from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Memory:
    """Bytes of a process and all that descends from it.

    `share_bytes` counts a page that n processes share as 1/n (PSS), so that sums are true; where the system doesn't
    tell, it is the resident size.
    """

    resident_bytes: int
    share_bytes: int

    def __add__(self, other: "Memory") -> "Memory":
        """Sum both measures."""
        return Memory(self.resident_bytes + other.resident_bytes, self.share_bytes + other.share_bytes)


def of_tree(pid: int) -> Memory:
    """Measure a process with its descendants; zero for what has ended."""
    total = Memory(0, 0)
    try:
        root = psutil.Process(pid)
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        return total
    for process in processes:
        total += _of_one(process)
    return total


def _of_one(process: psutil.Process) -> Memory:
    try:
        resident = process.memory_info().rss
    except psutil.Error:
        return Memory(0, 0)
    try:
        return Memory(resident, process.memory_full_info().pss)
    except (psutil.Error, AttributeError):
        return Memory(resident, resident)
