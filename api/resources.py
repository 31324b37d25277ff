"""What one API process holds: its connections and the services over them."""

from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from api.insights.answers import Answers
from api.insights.defined import DefinedInsights
from api.insights.macros import InsightMacros, MacrosMissingError
from api.insights.queries import InsightSql
from api.insights.results import Results
from api.insights.service import Insights
from api.insights.statements import Statements
from api.insights.unmodelled import UnmodelledEvents
from api.insights.unmodelled_sql import UnmodelledSql
from api.keys.service import ApiKeys
from api.metrics import Metrics
from api.queries.list_statements import ListSql
from api.queries.service import Queries
from api.queries.statements import QuerySql
from api.settings import ApiSettings
from api.warehouse import Warehouse
from core.cache import Cache
from core.metadata import connect_async

_logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that a request may need. Nothing in it connects before it is first used."""

    settings: ApiSettings
    metrics: Metrics
    warehouse: Warehouse
    database: AsyncEngine
    cache: Cache
    keys: ApiKeys
    insights: Insights
    queries: Queries

    async def is_database_reachable(self) -> bool:
        """Say whether PostgreSQL answers."""
        try:
            async with self.database.connect() as connection:
                await connection.execute(text("select 1"))
        except (SQLAlchemyError, OSError):
            return False
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self.warehouse.close()
        await self.cache.close()
        await self.database.dispose()


def open_resources(settings: ApiSettings, metrics: Metrics) -> Resources:
    """Wire the services together, from settings alone."""
    warehouse = Warehouse(settings)
    database = connect_async(
        settings.database_url.get_secret_value(),
        connect_args={"connect_timeout": max(1, round(settings.connect_seconds)), "options": "-c timezone=UTC"},
    )
    cache = Cache.connect(settings.redis_url.get_secret_value(), "api")
    macros = InsightMacros(settings.macros_dir / "events", settings.macros_dir / "insights")
    try:
        macros.compile()
    except MacrosMissingError as error:
        # Questions are answered with it until the files are mended; the rest of the API needs none of them.
        _logger.warning("macros_missing", error=str(error))
    unmodelled_sql = UnmodelledSql(macros, settings)
    statements = Statements(macros, settings.marts_database, unmodelled_sql)
    sql = InsightSql(statements)
    unmodelled = UnmodelledEvents(settings, warehouse, unmodelled_sql)
    answers = Answers(warehouse, Results(settings, warehouse, cache, sql, metrics), unmodelled)
    defined = DefinedInsights(settings.insights_dir, settings.marts_database)
    return Resources(
        settings=settings,
        metrics=metrics,
        warehouse=warehouse,
        database=database,
        cache=cache,
        keys=ApiKeys(settings, database),
        insights=Insights(settings, warehouse, answers, sql, defined),
        queries=Queries(
            settings, answers, QuerySql(statements), ListSql(statements, settings.intermediate_database), defined
        ),
    )
