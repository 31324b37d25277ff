from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from clickhouse_connect import dbapi
from clickhouse_connect.cc_sqlalchemy import engines, types
from sqlalchemy import exc, orm

from tests.contract.clickhouse.harness import PASSWORDS, Server


@pytest.fixture
def engine(server: Server, database: str) -> Iterator[sa.Engine]:
    password = PASSWORDS["radixinsight"]
    made = sa.create_engine(f"clickhousedb://radixinsight:{password}@127.0.0.1:{server.port}/{database}")
    yield made
    made.dispose()


@pytest.fixture
def table(engine: sa.Engine) -> sa.Table:
    metadata = sa.MetaData()
    made = sa.Table(
        "visits",
        metadata,
        sa.Column("id", types.UInt64, primary_key=True),
        sa.Column("page", types.String),
        sa.Column("at", types.DateTime64(3, "UTC")),
        sa.Column("tags", types.Array(types.String)),
        engines.MergeTree(order_by="id"),
    )
    metadata.create_all(engine)
    with engine.begin() as connection:
        rows = [{"id": n, "page": f"/{n % 3}", "at": "2026-01-02 03:04:05.678", "tags": ["t"]} for n in range(9)]
        connection.execute(made.insert(), rows)
    return made


def test_core_expressions_run(engine: sa.Engine, table: sa.Table) -> None:
    sql = sa.select(table.c.page, sa.func.count()).where(table.c.id > 2).group_by(table.c.page).order_by(table.c.page)
    with engine.connect() as connection:
        assert [tuple(row) for row in connection.execute(sql)] == [("/0", 2), ("/1", 2), ("/2", 2)]


def test_text_takes_bound_parameters(engine: sa.Engine, table: sa.Table) -> None:
    with engine.connect() as connection:
        statement = sa.text(f"select count() from {table.name} where page = :page")
        assert connection.execute(statement, {"page": "/1"}).scalar() == 3
        assert connection.execute(statement, {"page": "' or 1 = 1 --"}).scalar() == 0


def test_tables_and_columns_are_reflected(engine: sa.Engine, table: sa.Table, database: str) -> None:
    inspector = sa.inspect(engine)
    assert inspector.get_table_names() == ["visits"]
    assert database in inspector.get_schema_names()
    assert [column["name"] for column in inspector.get_columns("visits")] == ["id", "page", "at", "tags"]
    reflected = sa.Table("visits", sa.MetaData(), autoload_with=engine)
    assert str(reflected.c.at.type.compile(engine.dialect)) == str(table.c.at.type.compile(engine.dialect))


def test_a_mapped_class_can_be_read(engine: sa.Engine, table: sa.Table) -> None:
    class Base(orm.DeclarativeBase):
        pass

    class Visit(Base):
        __table__ = table

    with orm.Session(engine) as session:
        found = session.scalars(sa.select(Visit).where(table.c.id == 4)).one()
        assert (found.page, found.tags) == ("/1", ["t"])  # pyright: ignore[reportAttributeAccessIssue] - mapped from the table


def test_the_dbapi_cursor_works_without_sqlalchemy(server: Server) -> None:
    with dbapi.connect(
        host="127.0.0.1", port=server.port, username="reader", password=PASSWORDS["reader"]
    ) as connection:
        cursor = connection.cursor()
        cursor.execute("select number, toString(number) as s from numbers(3)")
        assert cursor.fetchall() == [(0, "0"), (1, "1"), (2, "2")]
        assert [column[0] for column in cursor.description] == ["number", "s"]


def test_errors_come_as_sqlalchemys(engine: sa.Engine) -> None:
    with engine.connect() as connection, pytest.raises(exc.DBAPIError, match="UNKNOWN_TABLE"):
        connection.execute(sa.text("select * from nowhere"))
