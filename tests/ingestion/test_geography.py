import httpx
from clickhouse_connect.driver.client import Client

from runtime.project_keys import ProjectKeys
from tests.ingestion.harness import Line, basic, landed_events


def test_the_country_of_an_address_lands_with_the_event(line: Line, client: Client, project: ProjectKeys) -> None:
    """A trusted proxy says where the request is from; a server says it of its user in the context.

    The country is that of the whole address, of which only the network is kept.
    """
    track = {"event": "buy", "userId": "ada"}
    for headers, members in (
        ({"x-forwarded-for": "8.8.8.8"}, {}),
        ({"x-forwarded-for": "8.8.8.8"}, {"context": {"ip": "81.2.69.142"}}),
        ({}, {}),
    ):
        answer = httpx.post(
            f"{line.collector.url}/v1/track", json=track | members, headers=basic(project.write_key) | headers
        )
        assert answer.status_code == 200
    line.wait_until_shipped()
    landed = [(row["ip"], row["country"]) for row in landed_events(client, project.id)]
    assert landed == [("8.8.8.0", "US"), ("81.2.69.0", "GB"), ("127.0.0.0", "")]
