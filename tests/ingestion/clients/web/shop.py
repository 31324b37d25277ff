"""A web site on another origin than the collector: pages, and the libraries that they load."""

import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

_LIBRARIES = Path(__file__).parents[1] / "node"
_PAGE = b'<!doctype html><html lang="en"><meta charset="utf-8"><title>Pricing</title><link rel="icon" href="data:,">'
_SCRIPTS = "/libraries/"


class Shop:
    """Serves its one page under every path, and the packages of `../node` below `/libraries/`."""

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Its origin: another site than the collector's address, not only another port."""
        return f"http://shop.localhost:{self._server.server_address[1]}"

    def script(self, package: str) -> str:
        """Return the address of a file of a package: its protocol's folder, then its path in `node_modules`."""
        folder, _, file = package.partition("/")
        return f"{self.url}{_SCRIPTS}{folder}/node_modules/{file}"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if not path.startswith(_SCRIPTS):
            self._send(_PAGE, "text/html")
            return
        file = _LIBRARIES / path.removeprefix(_SCRIPTS)
        if file.is_file():
            self._send(file.read_bytes(), "text/javascript")
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def _send(self, content: bytes, media_type: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("content-type", f"{media_type}; charset=utf-8")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass
