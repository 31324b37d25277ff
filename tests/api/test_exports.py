"""All events of a range, or all persons, as one file that is made in the background."""

import asyncio
import csv
import gzip
import io
import json
from collections.abc import AsyncGenerator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
import pytest
from fastapi import FastAPI
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from api.errors import TooManyQueriesError
from api.exports import maker
from api.exports.files import open_file
from api.exports.rows import ExportRows, Slice, joined
from api.settings import ApiSettings
from core import metadata, warehouse
from core.clock import utc_now
from core.errors import UnavailableError
from core.metadata import projects
from runtime.instance import Instance

RANGE = {"kind": "events", "from": "2025-03-03", "to": "2025-04-07"}


@pytest.fixture
def export_settings(settings: ApiSettings, tmp_path: Path) -> ApiSettings:
    """Keep files apart, and look for work all the time."""
    return settings.model_copy(update={"data_dir": tmp_path, "export_look_seconds": 0.05})


@pytest.fixture
async def served(serve: Any, export_settings: ApiSettings) -> AsyncGenerator[tuple[httpx.AsyncClient, FastAPI]]:
    async with serve(export_settings) as running:
        yield running


@pytest.fixture
def engine(runtime: Instance) -> Iterator[Engine]:
    made = metadata.connect(runtime.database_url)
    yield made
    # What a test leaves would be another one's work.
    with made.begin() as connection:
        connection.execute(text("delete from exports"))
    made.dispose()


async def _ask(client: httpx.AsyncClient, project: Any, asked: dict[str, Any]) -> dict[str, Any]:
    answer = await client.post(f"/v1/projects/{project.id}/exports", json=asked, headers=project.headers)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def _until(client: httpx.AsyncClient, project: Any, export_id: int, *states: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(200):
        found = (await client.get(f"/v1/projects/{project.id}/exports/{export_id}", headers=project.headers)).json()
        if found["state"] in states:
            break
        await asyncio.sleep(0.05)
    assert found["state"] in states, found
    return found


async def _made(client: httpx.AsyncClient, project: Any, asked: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    export = await _ask(client, project, asked)
    done = await _until(client, project, export["id"], "done")
    file = await client.get(done["link"])
    assert file.status_code == 200
    return done, file.content


def _lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(content).splitlines()]


@pytest.mark.usefixtures("engine")
async def test_a_file_has_every_event_of_its_range_once(
    served: Any, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.exports.rows._ROWS_OF_A_SLICE", 50)
    client, _ = served
    done, content = await _made(client, modelled.berlin, RANGE | {"format": "ndjson"})
    rows = _lines(content)
    assert (done["rows_total"], done["rows_written"], done["size_bytes"]) == (len(rows), len(rows), len(content))
    listed = await client.post(
        f"/v1/projects/{modelled.berlin.id}/query", json=RANGE | {"limit": 1000}, headers=modelled.berlin.headers
    )
    shown = {event["message_id"]: event for event in listed.json()["data"]["events"]}
    assert len(rows) > 200
    assert len({row["message_id"] for row in rows}) == len(rows)
    for row in rows:
        if row["message_id"] in shown:
            event = shown.pop(row["message_id"])
            assert (row["event"], row["properties"]) == (event["event"], event["properties"])
    assert not shown


# As tests/api/conftest.py lands them: what was sent, and whose it is by what was linked and merged since.
IDS = {
    "l0": ("", "kiosk", "anonymous:kiosk"),
    "l1": ("ada", "phone", "user:ada"),
    "l2": ("ada", "desk", "user:ada"),
    "l3": ("ada-old", "", "user:ada"),
    "l4": ("ada", "", "user:ada"),
    "l5": ("bob", "desk", "user:bob"),
}


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet"])
async def test_events_have_the_ids_that_were_sent_and_the_persons_whose_they_are(
    served: Any, modelled: Any, kind: str
) -> None:
    client, _ = served
    asked = {"kind": "events", "from": "2025-02-24", "to": "2025-02-25", "format": kind}
    _, content = await _made(client, modelled.devices, asked)
    rows: list[dict[str, Any]]
    if kind == "parquet":
        rows = pq.read_table(io.BytesIO(content)).to_pylist()
    elif kind == "csv":
        rows = list(csv.DictReader(io.StringIO(gzip.decompress(content).decode(), newline="")))
    else:
        rows = _lines(content)
    assert {row["message_id"]: (row["user_id"], row["anonymous_id"], row["person_id"]) for row in rows} == IDS
    assert list(rows[0])[:6] == ["timestamp", "event", "type", "user_id", "anonymous_id", "person_id"]
    path = f"/v1/projects/{modelled.devices.id}/query"
    listed = await client.post(
        path, json={key: asked[key] for key in ("kind", "from", "to")}, headers=modelled.devices.headers
    )
    assert list(listed.json()["data"]["events"][0]) == list(rows[0])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_persons_come_in_each_format(served: Any, modelled: Any, kind: str) -> None:
    client, _ = served
    asked = {"kind": "persons"}
    _, expected = await _made(client, modelled.berlin, asked | {"format": "ndjson"})
    _, content = await _made(client, modelled.berlin, asked | {"format": kind})
    persons = sorted(row["person_id"] for row in _lines(expected))
    assert len(persons) == len({event.person for event in modelled.berlin.events})
    if kind == "parquet":
        found = pq.read_table(io.BytesIO(content))
        assert str(found.schema.field("first_seen_at").type) == "timestamp[ms, tz=UTC]"
        assert sorted(found.column("person_id").to_pylist()) == persons
    else:
        rows = csv.DictReader(io.StringIO(gzip.decompress(content).decode(), newline=""))
        assert sorted(row["person_id"] for row in rows) == persons


@pytest.mark.usefixtures("engine")
async def test_a_file_of_csv_runs_nothing(served: Any, modelled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    read = ExportRows.read

    async def hostile(self: ExportRows, *asked: Any) -> list[dict[str, Any]]:
        return [row | {"event": "=cmd|' /C calc'!A0"} for row in await read(self, *asked)]

    monkeypatch.setattr(ExportRows, "read", hostile)
    client, _ = served
    _, content = await _made(client, modelled.berlin, RANGE | {"event": "cart"})
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(content).decode(), newline="")))
    assert {row["event"] for row in rows} == {"'=cmd|' /C calc'!A0"}


@pytest.mark.usefixtures("engine")
async def test_a_link_is_good_as_it_was_signed_and_for_as_long(served: Any, modelled: Any) -> None:
    client, app = served
    done, content = await _made(client, modelled.berlin, RANGE | {"event": "cart"})
    path, _, token = done["link"].rpartition("/")
    export_id, until, signature = token.split(".")
    secrets = app.state.resources.secrets
    for wrong in (
        f"{export_id}.{int(until) + 1}.{signature}",
        f"{int(export_id) + 1}.{until}.{signature}",
        f"{export_id}.{until}.{'0' * 64}",
        secrets.export_token(int(export_id), utc_now() - timedelta(seconds=1)),
        secrets.export_token(2**31 - 1, utc_now() + timedelta(hours=1)),
    ):
        answer = await client.get(f"{path}/{wrong}")
        assert (answer.status_code, answer.json()["code"]) == (404, "link_invalid")
    assert (await client.get(f"{path}/x")).status_code == 422
    assert content


async def test_one_that_is_done_is_deleted_with_its_file_once(served: Any, modelled: Any, engine: Engine) -> None:
    client, app = served
    done, _ = await _made(client, modelled.berlin, RANGE | {"event": "cart"})
    address = f"/v1/projects/{modelled.berlin.id}/exports/{done['id']}"
    for _ in range(2):
        assert (await client.delete(address, headers=modelled.berlin.headers)).status_code == 204
        shown = (await client.get(address, headers=modelled.berlin.headers)).json()
        assert (shown["state"], shown["link"]) == ("deleted", None)
    assert (await client.get(done["link"])).status_code == 404
    assert not list((app.state.resources.settings.data_dir / "exports").iterdir())
    statement = text("select action from audit_log where target_id = :id and target_kind = 'export' order by id")
    with engine.connect() as connection:
        actions = [row[0] for row in connection.execute(statement, {"id": str(done["id"])})]
    assert actions == ["export.created", "export.deleted"]


async def test_it_takes_both_permissions_and_leaves_entries(served: Any, modelled: Any, engine: Engine) -> None:
    client, app = served
    path = f"/v1/projects/{modelled.berlin.id}/exports"
    for missing in ("persons:read", "data:export"):
        with Session(engine) as session, session.begin():
            scopes = [scope for scope in ("data:query", "persons:read", "data:export") if scope != missing]
            key = projects.create_api_key(session, modelled.berlin.id, "k", scopes=scopes)  # pyright: ignore[reportArgumentType]
        refused = await client.post(path, json=RANGE, headers={"authorization": f"Bearer {key}"})
        assert (refused.status_code, refused.json()["permission"]) == (403, missing)
    other = await client.post(path, json=RANGE, headers=modelled.new_york.headers)
    assert other.status_code == 404
    done, _ = await _made(client, modelled.berlin, RANGE | {"event": "cart"})
    await app.state.resources.trail.flush()
    statement = text(
        "select action from audit_log where target_id = :id and target_kind = 'export'"
        " or action = 'export.fetched' and details->>'export_id' = :id order by id"
    )
    with engine.connect() as connection:
        actions = [row[0] for row in connection.execute(statement, {"id": str(done["id"])})]
    assert actions == ["export.created", "export.fetched"]


@pytest.mark.usefixtures("engine")
async def test_an_export_that_is_cancelled_leaves_no_file(
    served: Any, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, app = served
    reading, go_on = asyncio.Event(), asyncio.Event()
    read = ExportRows.read

    async def slow(self: ExportRows, *asked: Any) -> list[dict[str, Any]]:
        reading.set()
        await go_on.wait()
        return await read(self, *asked)

    monkeypatch.setattr(ExportRows, "read", slow)
    export = await _ask(client, modelled.berlin, RANGE)
    await asyncio.wait_for(reading.wait(), 10)
    path = f"/v1/projects/{modelled.berlin.id}/exports/{export['id']}"
    assert (await client.delete(path, headers=modelled.berlin.headers)).status_code == 204
    go_on.set()
    await _until(client, modelled.berlin, export["id"], "cancelled")
    folder = app.state.resources.settings.data_dir / "exports"
    for _ in range(100):
        if not list(folder.iterdir()):
            break
        await asyncio.sleep(0.02)
    assert not list(folder.iterdir())


async def test_an_export_survives_the_end_of_the_api(
    serve: Any, export_settings: ApiSettings, modelled: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that ends in order gives it back; what was killed is taken over when it has been silent."""
    never = asyncio.Event()
    reading = asyncio.Event()

    async def hang(*_: Any) -> list[dict[str, Any]]:
        reading.set()
        await never.wait()
        return []

    with monkeypatch.context() as patched:
        patched.setattr(ExportRows, "read", hang)
        async with serve(export_settings) as (client, _):
            export = await _ask(client, modelled.berlin, RANGE)
            await asyncio.wait_for(reading.wait(), 10)
    with engine.begin() as connection:
        state = connection.execute(text("select state, attempts from exports")).one()
        assert tuple(state) == ("waiting", 0)
        killed = "update exports set state = 'running', attempts = 1, rows_written = 7, heartbeat_at = now() - :ago"
        connection.execute(text(killed), {"ago": maker.SILENCE + timedelta(seconds=1)})
    left = export_settings.data_dir / "exports" / f"{modelled.berlin.id}-{export['id']}.csv.1.part"
    left.write_bytes(b"rows of somebody")
    async with serve(export_settings) as (client, _):
        done = await _until(client, modelled.berlin, export["id"], "done")
    assert done["rows_written"] == done["rows_total"] > 7
    assert not list(left.parent.glob("*part"))


@pytest.mark.parametrize("state", ["running", "done", "cancelled"])
async def test_who_was_taken_for_ended_removes_the_file_of_nobody_else(
    served: Any, modelled: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    client, app = served
    making = app.state.resources.export_maker
    write = making._write

    async def overtaken(export: Any, part: Path) -> int:
        size = await write(export, part)
        with engine.begin() as connection:
            changed = "update exports set state = :state, attempts = 2, heartbeat_at = now() where id = :id"
            connection.execute(text(changed), {"state": state, "id": export.id})
        return size

    monkeypatch.setattr(making, "_write", overtaken)
    export = await _ask(client, modelled.berlin, RANGE)
    await _until(client, modelled.berlin, export["id"], state)
    path = making._folder / f"{modelled.berlin.id}-{export['id']}.csv.gz"
    for _ in range(100):
        await asyncio.sleep(0.01)
        if path.exists() is (state != "cancelled") and not list(path.parent.glob("*part")):
            break
    assert path.exists() is (state != "cancelled")


@pytest.mark.usefixtures("engine")
async def test_an_export_waits_while_too_many_questions_of_its_project_wait(
    served: Any, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = served
    read, tries = ExportRows.read, [1, 2]

    async def busy(self: ExportRows, *asked: Any) -> Any:
        if tries:
            raise TooManyQueriesError(tries.pop())
        return await read(self, *asked)

    monkeypatch.setattr(maker, "_BUSY_S", 0)
    monkeypatch.setattr(ExportRows, "read", busy)
    export = await _ask(client, modelled.berlin, RANGE)
    await _until(client, modelled.berlin, export["id"], "done")
    assert not tries


async def test_a_link_leads_nowhere_from_outside_the_organisations_networks(
    served: Any, modelled: Any, engine: Engine
) -> None:
    client, app = served
    done, _ = await _made(client, modelled.berlin, RANGE)
    elsewhere = httpx.AsyncClient(transport=httpx.ASGITransport(app=app, client=("203.0.113.7", 1)))
    allow = text(
        "update organisations set allowed_networks = :networks"
        " where id = (select organisation_id from projects where id = :id)"
    )
    try:
        with engine.begin() as connection:
            # Those from which other tests ask something of the same organisation.
            own = ["10.0.0.0/8", "127.0.0.0/8"]
            connection.execute(allow, {"networks": own, "id": modelled.berlin.id})
        assert (await client.get(done["link"])).status_code == 200
        refused = await elsewhere.get(done["link"])
        assert (refused.status_code, refused.json()["code"]) == (403, "address_not_allowed")
    finally:
        with engine.begin() as connection:
            connection.execute(allow, {"networks": [], "id": modelled.berlin.id})


async def test_what_was_begun_too_often_is_said_to_have_failed(
    served: Any, modelled: Any, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = served
    monkeypatch.setattr(maker, "_MOST_ATTEMPTS", 0)
    export = await _ask(client, modelled.berlin, RANGE)
    failed = await _until(client, modelled.berlin, export["id"], "failed")
    assert "0 times" in failed["error"]
    assert failed["link"] is None
    assert engine


@pytest.mark.usefixtures("engine")
async def test_an_export_waits_for_an_engine_that_is_away(
    served: Any, modelled: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, _ = served
    tries: list[int] = []
    slices = ExportRows.slices

    async def away(self: ExportRows, *asked: Any) -> Any:
        tries.append(1)
        if len(tries) < 6:
            raise UnavailableError("clickhouse")
        return await slices(self, *asked)

    monkeypatch.setattr(ExportRows, "slices", away)
    export = await _ask(client, modelled.berlin, RANGE)
    await _until(client, modelled.berlin, export["id"], "done")


@pytest.mark.usefixtures("engine")
async def test_whoever_was_erased_is_in_no_later_file(
    serve: Any, export_settings: ApiSettings, modelled: Any, runtime: Instance
) -> None:
    database = f"{modelled.database}_{id(export_settings)}"
    admin = warehouse.connect(runtime.clickhouse_admin_url)
    admin.command(f"create database {database}")
    admin.command(f"create table {database}.fct_events as {modelled.database}.fct_events")
    admin.command(f"insert into {database}.fct_events select * from {modelled.database}.fct_events")
    admin.command(f"create view {database}.dim_persons as select * from {modelled.database}.dim_persons")
    asked = RANGE | {"format": "ndjson"}
    async with serve(export_settings.model_copy(update={"marts_database": database})) as (client, _):
        before = _lines((await _made(client, modelled.berlin, asked))[1])
        erased = before[0]["person_number"]
        admin.command(
            f"alter table {database}.fct_events delete where person_number = {erased} settings mutations_sync = 2"
        )
        after = _lines((await _made(client, modelled.berlin, asked))[1])
    admin.command(f"drop database {database}")
    admin.close()
    kept = {row["message_id"] for row in before if row["person_number"] != erased}
    assert {row["message_id"] for row in after} == kept


async def test_a_file_is_gone_when_it_has_expired(served: Any, modelled: Any, engine: Engine) -> None:
    client, app = served
    done, _ = await _made(client, modelled.berlin, RANGE)
    with engine.begin() as connection:
        connection.execute(text("update exports set expires_at = now()"))
    await _until(client, modelled.berlin, done["id"], "expired")
    assert (await client.get(done["link"])).status_code == 404
    assert not list((app.state.resources.settings.data_dir / "exports").iterdir())


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"kind": "events", "from": "2025-03-03"}, "/from"),
        ({"kind": "events", "from": "2025-03-03", "to": "2025-03-03"}, "/to"),
        ({"kind": "persons", "from": "2025-03-03", "to": "2025-03-04"}, "/kind"),
    ],
)
async def test_what_cannot_be_exported_is_pointed_at(served: Any, modelled: Any, asked: Any, pointer: str) -> None:
    client, _ = served
    path = f"/v1/projects/{modelled.berlin.id}/exports"
    answer = await client.post(path, json=asked, headers=modelled.berlin.headers)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.usefixtures("engine")
async def test_of_one_project_only_so_many_wait(serve: Any, export_settings: ApiSettings, modelled: Any) -> None:
    update = {"project_max_exports": 0, "export_look_seconds": 60}
    async with serve(export_settings.model_copy(update=update)) as (client, _):
        path = f"/v1/projects/{modelled.berlin.id}/exports"
        refused = await client.post(path, json=RANGE, headers=modelled.berlin.headers)
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_exports")


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("limit", ["export_max_bytes", "project_max_export_bytes"])
async def test_a_file_that_grows_too_large_fails_and_leaves_nothing(
    serve: Any, export_settings: ApiSettings, modelled: Any, limit: str
) -> None:
    async with serve(export_settings.model_copy(update={limit: 1_000})) as (client, _):
        export = await _ask(client, modelled.berlin, RANGE)
        failed = await _until(client, modelled.berlin, export["id"], "failed")
    assert f"{limit} = 1000 bytes" in failed["error"]
    assert not list((export_settings.data_dir / "exports").iterdir())


@pytest.mark.usefixtures("engine")
async def test_a_project_whose_files_take_all_that_they_may_begins_no_further_one(
    serve: Any, export_settings: ApiSettings, modelled: Any
) -> None:
    async with serve(export_settings) as (client, _):
        done, content = await _made(client, modelled.berlin, RANGE)
        other, _ = await _made(client, modelled.new_york, RANGE)
    full = export_settings.model_copy(update={"project_max_export_bytes": done["size_bytes"]})
    async with serve(full) as (client, _):
        path = f"/v1/projects/{modelled.berlin.id}/exports"
        refused = await client.post(path, json=RANGE, headers=modelled.berlin.headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "exports_full")
        # Its own file is still there, and another project's are none of its.
        assert (await client.get(done["link"])).content == content
        await client.delete(f"{path}/{done['id']}", headers=modelled.berlin.headers)
        assert (await client.post(path, json=RANGE, headers=modelled.berlin.headers)).status_code == 201
    assert other["state"] == "done"


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("kind", ["csv", "parquet"])
async def test_a_full_disk_is_said_and_nothing_of_the_file_stays(
    served: Any, modelled: Any, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    client, app = served

    def on_a_full_disk(kind: str, path: Path, columns: Any) -> Any:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("/dev/full")
        return open_file(kind, path, columns)

    with monkeypatch.context() as patched:
        patched.setattr(maker, "open_file", on_a_full_disk)
        export = await _ask(client, modelled.berlin, RANGE | {"format": kind})
        failed = await _until(client, modelled.berlin, export["id"], "failed")
    assert "disk" in failed["error"]
    assert not list((app.state.resources.settings.data_dir / "exports").iterdir())
    await _made(client, modelled.berlin, RANGE | {"format": kind})


def test_slices_hold_everything_and_none_is_large() -> None:
    slices = list(joined([(0, 15_000), (10, 4_000), (20, 3_000), (30, 45_000), (40, 1), (50, 1)], 10))
    assert slices == [
        Slice(0, 20),
        Slice(20, 30),
        *(Slice(30, 40, 3, part) for part in range(3)),
        Slice(40, 60),
    ]
