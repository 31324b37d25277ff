"""An address that stands for a collector, and behind which the collector can go away at once."""

import socket
import threading
from contextlib import suppress

_CHUNK = 65536


class Relay:
    """Passes connections on to `port`, or takes none while `port` is None."""

    def __init__(self) -> None:
        self._listener: socket.socket | None = None
        self._open: list[socket.socket] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address: tuple[str, int] = probe.getsockname()

    @property
    def url(self) -> str:
        """Its HTTP address."""
        return f"http://127.0.0.1:{self._address[1]}"

    def lead_to(self, port: int | None) -> None:
        """Cut every connection, and pass new ones on to another port."""
        if self._listener is not None:
            # A thread that waits in accept() keeps a closed socket listening.
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for end in self._open:
            _close(end)
        self._listener, self._open = None, []
        if port is not None:
            self._listener = socket.create_server(self._address, backlog=64)
            threading.Thread(target=self._accept, args=(self._listener, port), daemon=True).start()

    def _accept(self, listener: socket.socket, port: int) -> None:
        with suppress(OSError):
            while True:
                browser, _ = listener.accept()
                collector = socket.create_connection(("127.0.0.1", port))
                self._open += [browser, collector]
                for source, target in ((browser, collector), (collector, browser)):
                    threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    _close(source)
    _close(target)


def _close(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
