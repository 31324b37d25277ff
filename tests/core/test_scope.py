import pytest

from core import warehouse
from core.warehouse import ProjectScope, UnscopedQueryError
from runtime.instance import Instance

SCOPED = "select 1 where {project_id:UInt32} > 0"


@pytest.mark.parametrize(
    "sql",
    [
        "select count() from raw.events",
        "select count() from raw.events where project_id = 7",
        "select count() from raw.events where project_id = {project:UInt32}",
        "select '{project_id:UInt32}' from raw.events",
        "select 'it''s {project_id:UInt32}' from raw.events",
        "select 'a\\' {project_id:UInt32}' from raw.events",
        'select `{project_id:UInt32}`, "{project_id:UInt32}" from raw.events',
        "select 1 -- where project_id = {project_id:UInt32}",
        "select 1 # where project_id = {project_id:UInt32}",
        "select $a$ where project_id = {project_id:UInt32} $a$",
        "select 1 /* where project_id = {project_id:UInt32} */",
        "select 1 /* /* */ where project_id = {project_id:UInt32} */",
        "select 1 // where project_id = {project_id:UInt32}",
        "select 1 as a$x$, ' $x$ {project_id:UInt32} '",
        "select 1,.0x$$, ' $$ {project_id:UInt32} '",
        "select 1 as $1$x$, ' $x$ {project_id:UInt32} '",
        "select \u2018 ' {project_id:UInt32} ' \u2019",
    ],
)
def test_a_query_that_does_not_bind_its_project_is_refused(sql: str) -> None:
    with pytest.raises(UnscopedQueryError):
        ProjectScope(7).check(sql)


@pytest.mark.parametrize(
    "sql",
    [
        SCOPED,
        f"/* a */ {SCOPED} as a$b /* c */",
        "select 'quoted', `x` -- note\nfrom t where project_id = {project_id:UInt32}",
    ],
)
def test_a_query_that_binds_its_project_passes(sql: str) -> None:
    ProjectScope(7).check(sql)


def test_nobody_can_pass_another_project_in() -> None:
    with pytest.raises(UnscopedQueryError):
        ProjectScope(7).parameters(project_id=8)


@pytest.mark.parametrize("number", [0, -1, 2**32])
def test_a_number_that_is_no_project_is_refused(number: int) -> None:
    with pytest.raises(UnscopedQueryError):
        ProjectScope(number)


def test_the_project_is_bound_on_the_server(runtime: Instance) -> None:
    scope = ProjectScope(7)
    sql = "select {project_id:UInt32} as project, {name:String} as name"
    with warehouse.connect(runtime.clickhouse_reader_url) as client:
        assert scope.run(client, sql, {"name": "it's"}).result_rows == [(7, "it's")]


async def test_the_asynchronous_client_is_bound_alike(runtime: Instance) -> None:
    client = await warehouse.connect_async(runtime.clickhouse_reader_url)
    try:
        result = await ProjectScope(7).run_async(client, "select {project_id:UInt32}")
        assert result.result_rows == [(7,)]
        with pytest.raises(UnscopedQueryError):
            await ProjectScope(7).run_async(client, "select 1")
    finally:
        await client.close()
