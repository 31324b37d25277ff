"""What somebody should look at, among all that is new."""

from clickhouse_connect.driver.client import Client

# A new property is everyday life, unless a schema holds that does not name it.
_ALARMS = """
select change, uniqExact(project_id, event, property, detail, schema_version)
from (
    select project_id, event, property, change, detail, schema_version, min(noticed_at) as noticed_at
    from {governance:Identifier}.schema_changes
    group by project_id, event, property, change, detail, schema_version
)
where noticed_at >= now64(3) - interval 1 day
    and (
        change in ('deviation', 'new_type', 'vanished', 'too_many_properties')
        or (change = 'new_property' and endsWith(detail, concat('not named by version ', toString(schema_version))))
    )
group by change
order by change
"""


def count_alarms(client: Client, governance: str) -> dict[str, int]:
    """Return how many things of each kind were noticed in the last 24 hours that are not as agreed."""
    rows = client.query(_ALARMS, parameters={"governance": governance}).result_rows
    return {str(change): int(count) for change, count in rows}
