"""Ends what a killed supervisor leaves behind.

Run as `python -I -S guard.py [grace in seconds]`, standard library only, 8 MB. Its standard input is a pipe whose other
end only the supervisor holds. Lines `+pid signal` and `-pid` say what runs; `done` ends the guard. When the pipe closes
without `done`, the supervisor died: every process gets its stop signal (on Linux the kernel has sent it already), and
what is left of their process groups after the grace is killed.
"""

import contextlib
import os
import signal
import sys
import time

_GRACE_S = 4.0


def main() -> None:
    """Follow the supervisor's lines until it says `done` or dies."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    running: dict[int, int] = {}
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "done":
            return
        if word.startswith("+"):
            running[int(word[1:])] = int(rest[0])
        else:
            running.pop(int(word[1:]), None)
    _end(running, float(sys.argv[1]) if len(sys.argv) > 1 else _GRACE_S)


def _end(running: dict[int, int], grace_s: float) -> None:
    for pid, stop_signal in running.items():
        with contextlib.suppress(OSError):
            os.kill(pid, stop_signal)
    until = time.monotonic() + grace_s
    while time.monotonic() < until and any(_exists(group) for group in running):
        time.sleep(0.05)
    for group in running:
        with contextlib.suppress(OSError):
            os.killpg(group, signal.SIGKILL)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
