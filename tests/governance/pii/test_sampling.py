import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from clickhouse_connect.driver.client import Client

from core.clock import utc_now
from governance.pii.finding import Sample
from governance.pii.sampling import draw_samples

Draw = Callable[..., dict[tuple[int, str, str], Sample]]


@pytest.fixture
def draw(client: Client, landing: str) -> Draw:
    """Return a function that samples everything and indexes it by project, event and property."""

    def drawn(*, one_in: int = 1, most_values: int = 50) -> dict[tuple[int, str, str], Sample]:
        until = utc_now() + timedelta(seconds=1)
        samples = draw_samples(
            client, landing, until - timedelta(hours=1), until, one_in=one_in, most_values=most_values
        )
        return {(sample.project_id, sample.event, sample.property): sample for sample in samples}

    return drawn


def paths(samples: dict[tuple[int, str, str], Sample]) -> dict[str, tuple[str, ...]]:
    return {name: sample.values for (_, _, name), sample in samples.items()}


def test_objects_and_lists_are_opened_to_their_leaves(land: Callable[..., None], draw: Draw) -> None:
    document = {"a": {"b": {"mail": "a@x.org"}}, "list": [{"mail": "b@x.org"}, "c@x.org"]}
    land({"properties": json.dumps(document)})
    assert paths(draw()) == {
        "properties.a.b.mail": ("a@x.org",),
        "properties.list[].mail": ("b@x.org",),
        "properties.list[]": ("c@x.org",),
    }


def test_every_column_that_a_client_fills_is_looked_at(land: Callable[..., None], draw: Draw) -> None:
    land(
        {
            "properties": '{"x": "p@x.org"}',
            "traits": '{"x": "t@x.org"}',
            "context": '{"x": "c@x.org"}',
            "user_id": "u@x.org",
            "anonymous_id": "a@x.org",
            "group_id": "g@x.org",
        }
    )
    assert set(paths(draw())) == {
        "properties.x", "traits.x", "context.x", "user_id", "anonymous_id", "group_id",
    }  # fmt: skip


def test_values_that_cannot_be_personal_data_stay_in_the_warehouse(land: Callable[..., None], draw: Draw) -> None:
    document = {"price": 12.5, "plan": "pro", "ok": True, "none": None, "product_id": 123456, "empty": {}}
    land({"properties": json.dumps(document)})
    assert draw() == {}


@pytest.mark.parametrize("key", ["firstName", "first_name", "First Name", "comment", "shippingCity"])
def test_a_property_with_a_telling_name_is_drawn_whatever_its_values(
    land: Callable[..., None], draw: Draw, key: str
) -> None:
    land({"properties": json.dumps({key: "Anna"})})
    assert paths(draw()) == {f"properties.{key}": ("Anna",)}


def test_a_key_that_is_data_itself_does_not_get_into_the_path(land: Callable[..., None], draw: Draw) -> None:
    document = {"seats": {"anna@x.org": "ben@x.org", "4711": "cleo@x.org", "1234567890ab": "dora@x.org"}}
    land({"properties": json.dumps(document)})
    assert paths(draw()) == {"properties.seats.*": ("ben@x.org", "cleo@x.org", "dora@x.org")}


def test_projects_and_events_are_kept_apart(land: Callable[..., None], draw: Draw) -> None:
    mail = {"properties": '{"x": "a@x.org"}'}
    land(mail | {"project_id": 1}, mail | {"project_id": 2}, mail | {"project_id": 2, "event": "login"})
    assert set(draw()) == {(1, "signup", "properties.x"), (2, "signup", "properties.x"), (2, "login", "properties.x")}


def test_only_so_many_distinct_values_are_drawn_but_all_are_counted(land: Callable[..., None], draw: Draw) -> None:
    land(*({"properties": json.dumps({"x": f"u{n % 40}@x.org"})} for n in range(80)))
    (sample,) = draw(most_values=10).values()
    assert len(set(sample.values)) == 10
    assert sample.values_seen == 40


def test_a_document_that_is_no_json_is_drawn_as_it_is(land: Callable[..., None], draw: Draw) -> None:
    land({"properties": "a@x.org {broken"})
    assert paths(draw()) == {"properties": ("a@x.org {broken",)}


def test_a_long_value_is_cut(land: Callable[..., None], draw: Draw) -> None:
    land({"properties": json.dumps({"x": "a@x.org " + "ü" * 10_000})})
    ((value,),) = paths(draw()).values()
    assert len(value) == 400


def test_a_sample_of_the_events_is_the_same_every_time(land: Callable[..., None], draw: Draw) -> None:
    land(*({"properties": json.dumps({"x": f"u{n}@x.org"})} for n in range(200)))
    first, second = (paths(draw(one_in=4, most_values=200)) for _ in range(2))
    assert first == second
    assert 20 < len(first["properties.x"]) < 90
