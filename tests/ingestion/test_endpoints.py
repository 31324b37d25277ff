import pytest

from ingestion.endpoints import endpoint_of, endpoints
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
