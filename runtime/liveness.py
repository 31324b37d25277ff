"""Whether a process is at work."""

import psutil


def is_at_work(pid: int) -> bool:
    """Say whether a process runs; one that has ended and only waits to be collected by its parent doesn't."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
