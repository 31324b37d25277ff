import pytest
from pydantic import ValidationError

from ingestion.endpoints import endpoint_of, endpoints
from ingestion.prefixes import Prefixes, parse_prefixes
from ingestion.protocols import canary
from ingestion.settings import CollectorSettings
from ingestion.wire import Wire

SERVED = {path: endpoint for path, endpoint in endpoints().items() if endpoint.choose is None}


@pytest.mark.parametrize("path", SERVED)
def test_a_reject_finds_its_endpoint_again_and_is_one_event_to_it(path: str) -> None:
    """Whatever a protocol's requests look like, the bytes of one event can be wrapped into one."""
    endpoint = endpoint_of(SERVED[path].protocol, path)
    assert endpoint is not None
    if "POST" in endpoint.methods:
        event = b'{"event":"buy"}'
        wire = Wire("POST", path, b"", {}, body=endpoint.wrap(event))
    else:
        event = b"e=pv&aid=wk_1"
        wire = Wire("GET", path, event, {})
    assert [bytes(raw) for raw in endpoint.parse(wire).events] == [event]


def test_every_path_is_served_with_and_without_a_slash() -> None:
    served = set(endpoints())
    assert {f"{path}/" for path in served if not path.endswith("/")} <= served


def test_a_path_that_nobody_serves_any_more_has_no_endpoint() -> None:
    assert endpoint_of("segment", "/v1/gone") is None
    assert endpoint_of("gone", "/v1/track") is None


@pytest.mark.parametrize("path", [*SERVED][::5])
@pytest.mark.parametrize("prefix", ["/d", "/assets/x1", "/v1"])
def test_a_reject_that_came_under_a_renamed_prefix_finds_its_endpoint(path: str, prefix: str) -> None:
    """Whatever the prefixes are by then."""
    assert endpoint_of(SERVED[path].protocol, prefix + path) is endpoint_of(SERVED[path].protocol, path)


def test_a_protocol_is_served_under_further_prefixes() -> None:
    served = endpoints(Prefixes((("posthog", "/ph"), ("segment", "/assets/s1"), ("any", "/data"))))
    assert served["/ph/batch/"].protocol == "posthog"
    assert served["/assets/s1/v1/track"] is served["/v1/track"] is served["/data/v1/track"]
    assert served["/data/batch"].choose is not None
    assert set(endpoints()) < set(served)


def test_the_well_known_paths_can_be_left_out() -> None:
    served = endpoints(Prefixes((("posthog", "/ph"),), are_well_known_served=False))
    assert {path for path in served if not path.startswith("/ph/")} == {canary.PATH, f"{canary.PATH}/"}


def test_two_protocols_can_not_have_one_path() -> None:
    with pytest.raises(ValueError, match="/d/batch"):
        endpoints(Prefixes((("posthog", "/d"), ("amplitude", "/d"))))
    with pytest.raises(ValueError, match="/v1/import"):
        endpoints(Prefixes((("mixpanel", "/v1"),)))


@pytest.mark.parametrize("text", ["segment=/s1, posthog=/ph", "any=/data", "", "segment=/a,segment=/a.b/c-d"])
def test_prefixes_are_pairs(text: str) -> None:
    assert all(prefix.startswith("/") for _, prefix in parse_prefixes(text))


@pytest.mark.parametrize(
    "text", ["segment", "segment=", "segment=s1", "segment=/", "segment=/s1/", "nobody=/x", "any=/../x", "any=/a//b"]
)
def test_what_is_no_prefix_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="path_prefixes"):
        CollectorSettings.model_validate({"database_url": "", "path_prefixes": text})
