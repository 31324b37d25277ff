"""ClickHouse: connections, queries that cannot leave their project, migrations."""

from core.warehouse.client import connect, connect_async
from core.warehouse.scope import ProjectScope, UnscopedQueryError

__all__ = ["ProjectScope", "UnscopedQueryError", "connect", "connect_async"]
