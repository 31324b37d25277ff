"""The statements that list what was sent."""

from api.catalogue.schemas import PropertyQuery
from api.insights.statements import Statement

# More of them nobody chooses from, and they are sorted in memory.
MOST_LISTED = 20_000
_EVENTS = """\
select event, first_seen_date, last_seen_date, events, events_in_30_days, persons
from {table}
where project_id = {{project_id:UInt32}}
order by events desc, event
limit {{limit:UInt32}}"""
_PROPERTIES = """\
select
    property, events, strings, datetimes, numbers, booleans, arrays, objects, nulls, distinct_values,
    first_seen_at, last_seen_at
from {table}
where
    project_id = {{project_id:UInt32}} and source = {{source:String}} and group_type = {{group_type:String}}
    and event = {{event:String}} and property != '(other)'
order by events desc, property
limit {{limit:UInt32}}"""


class CatalogueSql:
    """Reads the catalogue that the models make; one row more than is listed says that there are more."""

    def __init__(self, database: str) -> None:
        self._database = database

    def events(self) -> Statement:
        """Events, the most frequent first."""
        table = f"{self._database}.dim_events"
        return Statement(_EVENTS.format(table=table), {"limit": MOST_LISTED + 1}, (table,))

    def properties(self, query: PropertyQuery) -> Statement:
        """Properties of events, or traits, the most frequent first."""
        table = f"{self._database}.dim_properties"
        asked = {"source": query.source, "group_type": query.group_type, "event": query.event}
        return Statement(_PROPERTIES.format(table=table), {"limit": MOST_LISTED + 1, **asked}, (table,))
