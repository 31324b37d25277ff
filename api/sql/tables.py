"""The tables that analysts' SQL may read: those of the marts that hold rows of projects."""

import time
from collections.abc import Mapping

from api.insights.defined import DefinedInsights
from api.settings import ApiSettings
from api.sql.schemas import SqlColumn, SqlTable
from api.turn import Turn
from api.warehouse import Warehouse

# Of other engines a row cannot be left out before anything looks at it (see StatementWriter.table). What dbt is about
# to exchange is not shown, and neither is what models note down for their next run: it has no description.
_TABLES = """
select
    columns.table as table,
    any(tables.comment) as description,
    groupArray((columns.name, columns.type, columns.comment)) as columns
from
(
    select table, name, type, comment
    from system.columns
    where database = {database:String}
    order by table, position
) as columns
inner join
(
    select name, comment
    from system.tables
    where
        database = {database:String}
        and (engine like '%MergeTree' or engine = 'Distributed')
        and position(name, '__dbt') = 0
        and comment != ''
) as tables on tables.name = columns.table
group by table
having countIf(columns.name = 'project_id' and columns.type = 'UInt32') = 1
order by table
"""
_SECONDS = 10.0


class SqlTables:
    """What there is to read, looked up again after some seconds."""

    def __init__(self, settings: ApiSettings, warehouse: Warehouse, defined: DefinedInsights) -> None:
        self._settings = settings
        self._warehouse = warehouse
        self._defined = defined
        self._found: dict[str, SqlTable] = {}
        self._read_at = float("-inf")
        self._reading = Turn()

    async def of_project(self, project_id: int) -> Mapping[str, SqlTable]:
        """Return the tables by name, without the marts of insights that are defined for other projects only."""
        async with self._reading.taken():
            if time.monotonic() - self._read_at >= min(_SECONDS, self._settings.data_version_seconds * _SECONDS):
                rows = await self._warehouse.unscoped(_TABLES, {"database": self._settings.marts_database})
                self._found = {
                    table: SqlTable(
                        name=table,
                        description=description,
                        columns=[
                            SqlColumn(name=name, type=kind, description=comment) for name, kind, comment in columns
                        ],
                    )
                    for table, description, columns in rows
                }
                self._read_at = time.monotonic()
        hidden = self._defined.names_of_others(project_id)
        return {name: table for name, table in self._found.items() if name not in hidden}
