"""The page and its files at `/`, the API's documentation at `/docs`."""

from os import PathLike
from pathlib import Path
from typing import ClassVar

import fastapi_standalone_docs
from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response
from starlette.routing import Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from core.errors import RadixError

_HERE = Path(__file__).parent
# The package is a carrier of swagger-ui's files (Apache-2.0): nothing is loaded from another host.
_SWAGGER_UI = Path(fastapi_standalone_docs.__path__[0]) / "static" / "swagger"
_REVALIDATE = {"cache-control": "no-cache"}
# The build names these files after their content.
_IMMUTABLE = {"cache-control": "public, max-age=31536000, immutable"}
_NOT_FOUND = 404


class PageNotBuiltError(RadixError):
    """The page's files are not there."""

    status: ClassVar[int] = 404
    code: ClassVar[str] = "page_not_built"
    title: ClassVar[str] = "The page has not been built"


class _Page(StaticFiles):
    """The built files; every other address that could be a view of the application gets its first page."""

    def __init__(self, directory: PathLike[str]) -> None:
        super().__init__(directory=directory, check_dir=False)
        self._directory = Path(directory)
        # The page may be built while the API runs; until then every request says that it is not.
        self.config_checked = True

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file at `path`, or the application's first page."""
        if path.split("/", 1)[0] in {"v1", "docs"}:
            raise HTTPException(_NOT_FOUND, f"There is nothing at {scope['path']}; /docs lists the API's operations.")
        index = self._directory / "index.html"
        if not index.is_file():
            raise PageNotBuiltError(f"{index} does not exist. Run `make`, then open this address again.")
        try:
            response = await super().get_response("index.html" if path == "." else path, scope)
        except HTTPException as error:
            # A name with a dot is a file: answering a missing script with the page would break it in obscure ways.
            if error.status_code != _NOT_FOUND or "." in path.rsplit("/", 1)[-1]:
                raise
            response = await super().get_response("index.html", scope)
        response.headers.update(_IMMUTABLE if path.startswith("assets/") else _REVALIDATE)
        return response


class _Rest(Mount):
    """Addresses that no other route has: one that has it under another method says so (405)."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child_scope = super().matches(scope)
        return (Match.PARTIAL if match is Match.FULL else match), child_scope


def add_pages(app: FastAPI, pages_dir: Path) -> None:
    """Serve the documentation and the page. Comes after every other route: it answers all that is left."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(_HERE / "docs.html", headers=_REVALIDATE)

    @app.get("/docs/start.js", include_in_schema=False)
    async def docs_start() -> FileResponse:
        return FileResponse(_HERE / "docs.js", headers=_REVALIDATE)

    app.mount("/docs/swagger-ui", StaticFiles(directory=_SWAGGER_UI))
    app.router.routes.append(_Rest("/", app=_Page(pages_dir)))
