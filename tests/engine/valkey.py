"""A Valkey of one test's own, that can be ended."""

import asyncio
import signal
import socket
import subprocess
from pathlib import Path

from runtime import valkey


class Server:
    """A Valkey in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"redis://:secret@127.0.0.1:{self.port}/0"
        self._directory = directory
        self._process: asyncio.subprocess.Process | None = None
        valkey.prepare(directory, self.port, "secret")

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            *valkey.command(self._directory), stdout=subprocess.DEVNULL
        )
        async with asyncio.timeout(60):
            while not await valkey.is_ready(self.port, "secret"):  # noqa: ASYNC110 - another process makes it true
                await asyncio.sleep(0.05)

    def pause(self) -> None:
        """Let it answer nobody, while its connections stay open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
