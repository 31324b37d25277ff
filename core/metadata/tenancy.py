"""The one way in which the API reaches PostgreSQL: on behalf of an organisation or a project, or knowingly of none.

A session of `of_organisation` or `of_project` adds the condition to every statement itself, so that nobody can forget
it: select, update and delete alike, joins, aliases and what relationships load. It refuses what it cannot read (SQL as
text, tables without their class) and rows that belong to somebody else. PostgreSQL itself is told the tenant too: its
row-level security shows and takes no other rows, whatever statement comes.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Self

import structlog
from psycopg.errors import DeadlockDetected
from sqlalchemy import (
    ColumnClause,
    CompoundSelect,
    Select,
    TableClause,
    TextClause,
    UpdateBase,
    event,
    inspect,
    select,
    text,
)
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction, with_loader_criteria
from sqlalchemy.sql.base import ExecutableOption
from sqlalchemy.sql.selectable import AliasedReturnsRows
from sqlalchemy.sql.visitors import ExternallyTraversible

from core.breaker import Breaker
from core.errors import RadixError, UnavailableError
from core.metadata.accounts import Membership, Organisation, User
from core.metadata.engine import connect_async
from core.metadata.models import OrganisationOwned, Project, ProjectOwned

_logger = structlog.get_logger()


class CrossTenantError(RadixError):
    """A statement that no tenant's scope can hold, or a row of another tenant. A fault of ours, never of a caller."""

    code: ClassVar[str] = "cross_tenant"
    title: ClassVar[str] = "A statement is not bound to its tenant"


class ChangedAtOnceError(RadixError):
    """Two changes waited for each other, and PostgreSQL undid this one."""

    status: ClassVar[int] = 503
    code: ClassVar[str] = "changed_at_once"
    title: ClassVar[str] = "Somebody else changes the same at this moment"

    def __init__(self) -> None:
        super().__init__("Nothing was changed. Try again.", headers={"Retry-After": "1"})


class _ScopedSession(Session):
    """A session on behalf of one organisation, or of one project of it."""


class _ScopedAsyncSession(AsyncSession):
    sync_session_class = _ScopedSession


# For the transaction alone.
_TELL = text("select set_config(:name, :value, true)")
_ORGANISATION = "organisation_id"
_PROJECT = "project_id"
_KNOWN = (OrganisationOwned, ProjectOwned, Organisation, User)


class Database:
    """The metadata database, as services of the API are given it. Nothing connects before the first statement."""

    def __init__(self, engine: AsyncEngine, seconds: float) -> None:
        self.breaker = Breaker("postgresql")
        self._engine = engine
        self._seconds = seconds

    @classmethod
    def connect(cls, url: str, *, seconds: float) -> Self:
        """Return the database at a `postgresql://` address. What takes longer than so many seconds is given up.

        Its sessions raise `UnavailableError` then, and when PostgreSQL is away.
        """
        arguments = {"connect_timeout": max(1, round(seconds)), "options": "-c timezone=UTC"}
        return cls(connect_async(url, connect_args=arguments), seconds)

    @asynccontextmanager
    async def of_organisation(self, organisation_id: int) -> AsyncGenerator[AsyncSession]:
        """Open a session that sees one organisation alone; it is committed at the end, and undone after an error."""
        async with self._scoped({_ORGANISATION: organisation_id}) as session:
            yield session

    @asynccontextmanager
    async def of_project(self, project: Project) -> AsyncGenerator[AsyncSession]:
        """Open a session that sees one project alone, and of its organisation what is no other project's."""
        async with self._scoped({_ORGANISATION: project.organisation_id, _PROJECT: project.id}) as session:
            yield session

    @asynccontextmanager
    async def of_all(self) -> AsyncGenerator[AsyncSession]:
        """Open a session that sees every tenant: to find out who asks, and to note it."""
        async with self._answering(), AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    async def is_reachable(self) -> bool:
        """Say whether PostgreSQL answers."""
        try:
            async with asyncio.timeout(self._seconds), self._engine.connect() as connection:
                await connection.execute(text("select 1"))
        except (SQLAlchemyError, TimeoutError, OSError):
            return False
        return True

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @asynccontextmanager
    async def _scoped(self, scope: dict[str, int]) -> AsyncGenerator[AsyncSession]:
        session = _ScopedAsyncSession(self._engine, expire_on_commit=False, info=scope)
        async with self._answering(), session, session.begin():
            connection = await session.connection()
            for name, value in scope.items():
                await connection.execute(_TELL, {"name": f"radixinsight.{name}", "value": str(value)})
            yield session

    @asynccontextmanager
    async def _answering(self) -> AsyncGenerator[None]:
        with self.breaker.passed():
            try:
                async with asyncio.timeout(self._seconds):
                    yield
            except (OperationalError, InterfaceError, PoolTimeoutError, TimeoutError, OSError) as error:
                if isinstance(error, OperationalError) and isinstance(error.orig, DeadlockDetected):
                    raise ChangedAtOnceError from error
                _logger.warning("postgresql_unavailable", error=type(error).__name__)
                raise UnavailableError("postgresql") from error


@event.listens_for(_ScopedSession, "do_orm_execute")
def _bind_to_scope(state: ORMExecuteState) -> None:
    """Add the scope's conditions to a statement of a scoped session; refuse one that they would not hold."""
    if state.is_column_load:
        # What is missing of a row that was shown already.
        return
    if not (state.is_orm_statement and (state.is_select or state.is_update or state.is_delete)):
        raise CrossTenantError("A scoped session selects, updates and deletes by mapped classes, and adds objects.")
    if not state.is_select and state.parameters:
        raise CrossTenantError("A scoped session updates by conditions, not by lists of keys.")
    _check(state.statement, frozenset())
    state.statement = state.statement.options(
        *_conditions(state.session.info[_ORGANISATION], state.session.info.get(_PROJECT))
    )


def _conditions(organisation: int, project: int | None) -> Iterator[ExecutableOption]:
    """Yield what holds for the rows of each class that a scope may see, under whatever alias they are asked for."""
    members = select(Membership.user_id).where(Membership.organisation_id == organisation)
    projects = select(Project.id).where(Project.organisation_id == organisation)
    if project is not None:
        projects = projects.where(Project.id == project)
        yield with_loader_criteria(Project, lambda cls: cls.id == project, include_aliases=True)
    yield with_loader_criteria(Organisation, lambda cls: cls.id == organisation, include_aliases=True)
    yield with_loader_criteria(User, lambda cls: cls.id.in_(members), include_aliases=True)
    yield with_loader_criteria(OrganisationOwned, lambda cls: cls.organisation_id == organisation, include_aliases=True)
    yield with_loader_criteria(ProjectOwned, lambda cls: cls.project_id.in_(projects), include_aliases=True)


def _check(element: object, named: Collection[object]) -> None:
    """Refuse a statement of which a part would get no condition.

    SQLAlchemy adds conditions to the classes that a select returns or joins. It must name no other tables, not even of
    a select around it: `named` are those of the select that an element is in.
    """
    assert isinstance(element, ExternallyTraversible)  # noqa: S101 - all parts of statements are; this narrows the type
    if isinstance(element, TextClause | CompoundSelect) or _is_literal(element):
        raise CrossTenantError("A scoped session runs no SQL that is given as text, and no union.")
    entity = _entity(element)
    if entity is not None and not issubclass(entity.mapper.class_, _KNOWN):
        raise CrossTenantError(f"{entity.mapper.class_.__name__} belongs to no organisation.")
    if isinstance(element, AliasedReturnsRows) and entity is not None:
        # What is behind the alias of a class is scoped as the class is.
        return
    if isinstance(element, Select | UpdateBase):
        named = set(_named(element))
    if entity is None and isinstance(element, TableClause | ColumnClause):
        table = element.table if isinstance(element, ColumnClause) else element
        if table is not None and table not in named:
            raise CrossTenantError(f"{element} is not named by its mapped class, or is not joined.")
    for child in element.get_children():
        _check(child, named)


def _named(statement: "Select[Any] | UpdateBase") -> Iterator[object]:
    """Yield the tables of the classes that a statement returns, joins or changes."""
    described: list[dict[str, Any]] = getattr(statement, "column_descriptions", [])
    for each in described:
        if each.get("entity") is not None and not each["aliased"]:
            yield inspect(each["entity"]).local_table
    for child in statement.get_children():
        entity = _entity(child)
        if entity is not None and isinstance(child, TableClause):
            yield entity.local_table


def _entity(element: object) -> Any:
    # How SQLAlchemy itself tells a mapped class's table and columns from others.
    return getattr(element, "_annotations", {}).get("parententity")


def _is_literal(element: object) -> bool:
    # The asterisk is what count() counts.
    return isinstance(element, ColumnClause) and element.is_literal and element.name != "*"


@event.listens_for(_ScopedSession, "before_flush")
def _refuse_rows_of_others(session: Session, _flush: UOWTransaction, _instances: Any) -> None:
    """Refuse to write a row that is not the scope's; one that says nothing of it becomes one."""
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, Organisation) and row.id != session.info[_ORGANISATION]:
            raise CrossTenantError("This is another organisation.")
        if isinstance(row, OrganisationOwned):
            _demand(session, row, _ORGANISATION)
        if isinstance(row, ProjectOwned):
            if _PROJECT not in session.info:
                raise CrossTenantError(f"{type(row).__name__} is written in the scope of its project.")
            _demand(session, row, _PROJECT)
        if row in session.new and not isinstance(row, OrganisationOwned | ProjectOwned):
            raise CrossTenantError(f"{type(row).__name__} belongs to no organisation.")


def _demand(session: Session, row: object, column: str) -> None:
    wanted = session.info[column]
    if getattr(row, column) is None:
        setattr(row, column, wanted)
    if getattr(row, column) != wanted:
        raise CrossTenantError(f"{type(row).__name__} belongs to another {column.removesuffix('_id')}.")
