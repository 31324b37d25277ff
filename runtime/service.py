"""What the supervisor needs to know about one process."""

import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from runtime.privileges import KEEP, Identity


async def alive_is_ready() -> bool:
    """Take a process that lives for ready: it serves nobody directly."""
    return True


@dataclass(frozen=True, kw_only=True)
class Service:
    """One process of the system.

    `needs` names what must be ready before it is launched, `companions` what is started with it but not waited for.
    `prepare` runs before each launch, in a thread. `is_ready` is asked every `poll_s` until it says yes, and `on_ready`
    runs each time it has. `once` marks a program that does its work and ends. Engines stop after everything else.
    `identity` is asked for at launch, because it depends on files that `prepare` may make.
    """

    name: str
    command: Callable[[], list[str]]
    environment: dict[str, str]
    needs: tuple[str, ...] = ()
    companions: tuple[str, ...] = ()
    address: str | None = None
    prepare: Callable[[], None] | None = None
    is_ready: Callable[[], Awaitable[bool]] = alive_is_ready
    on_ready: Callable[[], Awaitable[None]] | None = None
    identity: Callable[[], Identity] = field(default=lambda: KEEP)
    poll_s: float = 0.05
    once: bool = False
    is_engine: bool = False
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 2.0
