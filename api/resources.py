"""What one API process holds: its connections and the services over them."""

from dataclasses import dataclass
from functools import partial

import structlog

from api.access.service import Access
from api.accounts.attempts import Attempts
from api.accounts.own_factors import OwnFactors
from api.accounts.passwords import Passwords
from api.accounts.proof import Proof
from api.accounts.purging import Purging
from api.accounts.recovery import Recovery
from api.accounts.second_factor import SecondFactors
from api.accounts.secrets import Secrets
from api.accounts.service import Accounts
from api.accounts.sessions import Sessions
from api.annotations.service import Annotations
from api.audit.service import AuditLog
from api.audit.trail import Trail
from api.catalogue.queries import CatalogueSql
from api.catalogue.service import Catalogue
from api.cohorts.service import Cohorts
from api.dashboards.service import Dashboards
from api.data_state import DataState
from api.exports.maker import ExportMaker
from api.exports.rows import ExportRows
from api.exports.service import Exports
from api.federation.oidc import OpenIdConnect
from api.federation.service import FederatedSignIn
from api.insights.answers import Answers
from api.insights.defined import DefinedInsights
from api.insights.macros import InsightMacros, MacrosMissingError
from api.insights.queries import InsightSql
from api.insights.results import Results
from api.insights.service import Insights
from api.insights.statements import Statements
from api.insights.unmodelled import UnmodelledEvents
from api.insights.unmodelled_sql import UnmodelledSql
from api.keys.service import Keys
from api.live.service import LiveStreams
from api.mail.outbox import Outbox
from api.metrics import Metrics
from api.organisations.closing import Closing
from api.organisations.invitations import Invitations
from api.organisations.service import Organisations
from api.projects.service import Projects
from api.providers.service import Providers
from api.queries.naming import Naming
from api.queries.service import Queries
from api.results.kept import KeptAnswers
from api.roles.service import Roles
from api.saved.service import Saved
from api.saved_insights.materialised import Materialised
from api.saved_insights.service import SavedInsights
from api.settings import ApiSettings
from api.sharing.service import SharedLinks
from api.sharing.tokens import LinkTokens
from api.sharing.view import SharedViews
from api.sql.service import Sql
from api.sql.tables import SqlTables
from api.warehouse import Warehouse
from core.cache import Cache
from core.metadata.tenancy import Database

_logger = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything that a request may need. Nothing in it connects before it is first used."""

    settings: ApiSettings
    metrics: Metrics
    warehouse: Warehouse
    database: Database
    cache: Cache
    secrets: Secrets
    outbox: Outbox
    access: Access
    trail: Trail
    attempts: Attempts
    sessions: Sessions
    accounts: Accounts
    recovery: Recovery
    factors: OwnFactors
    federation: FederatedSignIn
    purging: Purging
    closing: Closing
    providers: Providers
    organisations: Organisations
    invitations: Invitations
    roles: Roles
    projects: Projects
    keys: Keys
    audit_log: AuditLog
    insights: Insights
    sql: Sql
    live: LiveStreams
    queries: Queries
    kept: KeptAnswers
    exports: Exports
    export_maker: ExportMaker
    saved: Saved
    saved_insights: SavedInsights
    materialised: Materialised
    cohorts: Cohorts
    dashboards: Dashboards
    annotations: Annotations
    catalogue: Catalogue
    links: SharedLinks
    link_tokens: LinkTokens
    shared: SharedViews

    async def close(self) -> None:
        """Finish what goes on by itself, and close every connection."""
        await self.live.close()
        await self.purging.close()
        await self.kept.close()
        await self.export_maker.close()
        await self.trail.close()
        await self.outbox.close()
        await self.warehouse.close()
        await self.attempts.close()
        await self.cache.close()
        await self.database.close()


def open_resources(settings: ApiSettings, metrics: Metrics) -> Resources:
    """Wire the services together, from settings alone, in the event loop in which they are used."""
    warehouse = Warehouse(settings)
    state = DataState(settings, warehouse)
    metrics.queries.labels(state="running").set_function(lambda: warehouse.queue.running)
    metrics.queries.labels(state="waiting").set_function(lambda: warehouse.queue.waiting)
    database = Database.connect(settings.database_url.get_secret_value(), seconds=settings.connect_seconds)
    secrets = Secrets(settings)
    outbox = Outbox(settings)
    access = Access(settings, database)
    trail = Trail(database)
    attempts = Attempts(settings, secrets)
    sessions = Sessions(database, access, secrets)
    passwords = Passwords()
    proof = Proof(database, passwords, attempts)
    factors = SecondFactors(secrets, attempts, outbox)
    openid = OpenIdConnect(settings)
    cache = Cache.connect(settings.redis_url.get_secret_value(), "api")
    for engine, breaker in (
        ("clickhouse", warehouse.breaker),
        ("postgresql", database.breaker),
        ("valkey", cache.breaker),
    ):
        metrics.breakers.labels(engine=engine).set_function(partial(getattr, breaker, "is_open"))
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
    results = Results(settings, warehouse=warehouse, state=state, cache=cache, sql=sql, metrics=metrics)
    answers = Answers(state, results, unmodelled)
    maker = ExportMaker(settings, database, ExportRows(settings, warehouse))
    defined = DefinedInsights(settings.insights_dir, settings.marts_database)
    naming = Naming(database, defined)
    queries = Queries(settings, answers, statements, naming)
    saved = Saved(database, settings.saved_versions)
    saved_insights = SavedInsights(saved, queries)
    link_tokens = LinkTokens(secrets)
    return Resources(
        settings=settings,
        metrics=metrics,
        warehouse=warehouse,
        database=database,
        cache=cache,
        secrets=secrets,
        outbox=outbox,
        access=access,
        trail=trail,
        attempts=attempts,
        sessions=sessions,
        accounts=Accounts(
            public_url=settings.public_url,
            database=database,
            access=access,
            sessions=sessions,
            factors=factors,
            passwords=passwords,
            attempts=attempts,
            secrets=secrets,
            outbox=outbox,
            trail=trail,
            proof=proof,
        ),
        recovery=Recovery(
            public_url=settings.public_url,
            database=database,
            access=access,
            sessions=sessions,
            passwords=passwords,
            attempts=attempts,
            secrets=secrets,
            outbox=outbox,
            proof=proof,
        ),
        factors=OwnFactors(
            database=database,
            access=access,
            sessions=sessions,
            factors=factors,
            attempts=attempts,
            secrets=secrets,
            outbox=outbox,
            proof=proof,
        ),
        purging=Purging(database),
        closing=Closing(database, access),
        federation=FederatedSignIn(
            public_url=settings.public_url,
            database=database,
            access=access,
            sessions=sessions,
            secrets=secrets,
            attempts=attempts,
            openid=openid,
        ),
        providers=Providers(database, access, secrets, openid),
        organisations=Organisations(database, access),
        invitations=Invitations(settings, database, outbox),
        roles=Roles(database, access),
        projects=Projects(database, access),
        keys=Keys(database, access),
        audit_log=AuditLog(database, trail),
        live=LiveStreams(settings, metrics, warehouse, access),
        sql=Sql(
            settings,
            warehouse=warehouse,
            state=state,
            results=results,
            tables=SqlTables(settings, warehouse, defined),
            metrics=metrics,
        ),
        insights=Insights(settings, state, answers, sql, defined),
        queries=queries,
        saved=saved,
        saved_insights=saved_insights,
        materialised=Materialised(settings, warehouse, queries),
        cohorts=Cohorts(saved, naming),
        dashboards=Dashboards(saved, saved_insights),
        annotations=Annotations(database),
        catalogue=Catalogue(database, answers, CatalogueSql(settings.marts_database), settings.saved_versions),
        links=SharedLinks(database, passwords),
        link_tokens=link_tokens,
        shared=SharedViews(
            database=database,
            tokens=link_tokens,
            passwords=passwords,
            attempts=attempts,
            saved=saved,
            queries=queries,
        ),
        kept=KeptAnswers(settings, metrics),
        exports=Exports(settings, database=database, answers=answers, secrets=secrets, trail=trail, maker=maker),
        export_maker=maker,
    )
