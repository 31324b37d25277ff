"""The one way in which queries on behalf of a project reach ClickHouse."""

import re
from typing import TYPE_CHECKING, Any, ClassVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.query import QueryResult

from core.errors import RadixError

if TYPE_CHECKING:
    from clickhouse_connect.driver.asyncclient import AsyncClient

_PLACEHOLDER = "{project_id:UInt32}"
_MAX_PROJECT_ID = 2**32 - 1
# What is no code in ClickHouse SQL: quoted text and comments. A placeholder in there would scope nothing.
_NOT_CODE = re.compile(
    r"""
      '(?:[^'\\]|\\.|'')*'            # string
    | "(?:[^"\\]|\\.)*"               # identifier
    | `(?:[^`\\]|\\.)*`               # identifier
    | \u2018[^\u2019]*\u2019 | \u201c[^\u201d]*\u201d
    | (?P<word>[^\W\d][\w$]*|\d\w*(?![\w$]))  # a dollar sign in a word begins no here document
    | \d\w*\$.*                       # behind a number it may; then nothing counts
    | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$  # here document
    | \$\w[\w$]*
    | --[^\n]* | //[^\n]* | \#[^\n]*   # comments
    | /\*(?:(?!/\*|\*/).)*(?:\*/|/\*.*|\Z)  # comments nest: what holds another one is taken to go on to the end
    """,
    re.DOTALL | re.VERBOSE,
)


class UnscopedQueryError(RadixError):
    """A query on behalf of a project does not name the project, or smuggles another one in."""

    code: ClassVar[str] = "unscoped_query"
    title: ClassVar[str] = "A query is not bound to its project"


class ProjectScope:
    """Binds queries to one project.

    Every statement must use the bound placeholder `{project_id:UInt32}`; its value comes from the scope and from
    nowhere else.

    >>> ProjectScope(7).parameters(event="signup")
    {'event': 'signup', 'project_id': 7}
    """

    def __init__(self, project_id: int) -> None:
        if not 0 < project_id <= _MAX_PROJECT_ID:
            raise UnscopedQueryError(f"{project_id} is not a project id.")
        self.project_id = project_id

    def parameters(self, **parameters: Any) -> dict[str, Any]:
        """Return the query parameters with `project_id` added; raises `UnscopedQueryError` if it is among them."""
        if "project_id" in parameters:
            raise UnscopedQueryError("project_id is set by the scope and cannot be passed in.")
        return parameters | {"project_id": self.project_id}

    def check(self, sql: str) -> None:
        """Raise `UnscopedQueryError` unless `sql` uses `{project_id:UInt32}` outside of quotes and comments."""
        if _PLACEHOLDER not in _NOT_CODE.sub(lambda match: match["word"] or " ", sql):
            raise UnscopedQueryError(f"The query must filter on {_PLACEHOLDER}.")

    def run(
        self,
        client: Client,
        sql: str,
        parameters: dict[str, Any] | None = None,
        *,
        settings: dict[str, Any] | None = None,
    ) -> QueryResult:
        """Check and run `sql`, with `parameters` bound beside the project's id."""
        self.check(sql)
        return client.query(sql, parameters=self.parameters(**(parameters or {})), settings=settings)

    async def run_async(
        self,
        client: "AsyncClient",
        sql: str,
        parameters: dict[str, Any] | None = None,
        *,
        settings: dict[str, Any] | None = None,
    ) -> QueryResult:
        """Check and run `sql` as `run` does, on an asyncio client."""
        self.check(sql)
        return await client.query(sql, parameters=self.parameters(**(parameters or {})), settings=settings)
