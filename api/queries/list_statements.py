"""The query documents that ask for lists, as SQL: events, persons, and values of properties."""

from dataclasses import replace
from datetime import datetime

from api.insights.statements import PROJECT, TIMEZONE, Statement, Statements, Window
from api.queries.cursors import position
from api.queries.list_documents import (
    CohortDocument,
    EventsDocument,
    Page,
    PersonDocument,
    PersonsDocument,
    PropertyValuesDocument,
)
from api.queries.making import Making
from api.queries.naming import SavedCohorts
from core.insights.arguments import dimension_of, text_of
from core.insights.filters import joined


class ListSql:
    """Renders the lists over the modelled tables, as the latest refresh made them.

    A list has one row more than it shows: that there is one says that there is another page.
    """

    def __init__(self, statements: Statements, *, staging: str, intermediate: str, cohorts: SavedCohorts) -> None:
        self._statements = statements
        self._cohorts = cohorts
        self._sent = f"{staging}.stg_collector__events"
        self._devices = f"{intermediate}.int_devices_linked"

    def events(self, window: Window, asked: EventsDocument, now: datetime) -> Statement:
        """Rows of `insights_event_list`."""
        making = Making(self._statements, replace(window, unmodelled=None), now, self._cohorts)
        relation = making.events()
        if asked.person_number is not None:
            numbers = making.bind(asked.person_number, "UInt32")
            relation = self._statements.render(
                "insights_events_of_persons", relation=relation, project=PROJECT, numbers=numbers
            )
        making.sources.append(self._sent)
        return making.made(
            "insights_event_list",
            relation=relation,
            facts=making.table("fct_events"),
            sent=self._sent,
            persons=making.table("dim_persons"),
            project=PROJECT,
            condition=asked.events.sql(making.scope),
            limit=making.bind(asked.limit + 1, "UInt32"),
            after=_after(making, asked.after, str, "String"),
        )

    def persons(self, window: Window, asked: PersonsDocument | CohortDocument, now: datetime) -> Statement:
        """Rows of `insights_person_list`."""
        making = Making(self._statements, window, now, self._cohorts)
        conditions = [joined("and", asked.who, making.scope)] if asked.who else []
        if isinstance(asked, PersonsDocument) and asked.search is not None:
            conditions.append(_found("person_id", asked.search, making))
        return person_list(making, conditions, asked)

    def person(self, window: Window, asked: PersonDocument, now: datetime) -> Statement:
        """Rows of `insights_person`: one, or none."""
        making = Making(self._statements, window, now, self._cohorts)
        making.sources.append(self._devices)
        return making.made_now(
            "insights_person",
            persons=making.table("dim_persons"),
            merges=making.table("fct_merges"),
            devices=self._devices,
            relation=making.events(),
            project=PROJECT,
            condition=self._is_person(asked, making),
            latest=making.bind(asked.events, "UInt32"),
        )

    def property_values(self, window: Window, asked: PropertyValuesDocument, now: datetime) -> Statement:
        """Rows of `insights_property_values`."""
        making = Making(self._statements, replace(window, unmodelled=None), now, self._cohorts)
        dimension = dimension_of(asked)
        if dimension is not None and window.days is not None and not asked.events.where:
            return self._values_of_days(making, asked, dimension)
        is_of_events = asked.trait is None
        value = text_of(asked, making.scope) if is_of_events else asked.text(making.bind)
        conditions = [asked.events.sql(making.scope)]
        if asked.search is not None:
            conditions.append(_found(f"ifNull({value}, '')", asked.search, making))
        make = making.made if is_of_events else making.made_now
        return make(
            "insights_property_values",
            relation=making.events() if is_of_events else making.table("dim_persons"),
            project=PROJECT,
            value=value,
            condition=" and ".join(conditions),
            limit=making.bind(asked.limit + 1, "UInt32"),
        )

    def _values_of_days(self, making: Making, asked: PropertyValuesDocument, dimension: str) -> Statement:
        conditions = [asked.events.sql(making.scope)]
        if asked.search is not None:
            conditions.append(_found("value", asked.search, making))
        return making.made(
            "insights_property_values_of_days",
            relation=making.dimension(dimension),
            project=PROJECT,
            condition=" and ".join(conditions),
            timezone=TIMEZONE,
            limit=making.bind(asked.limit + 1, "UInt32"),
        )

    def _is_person(self, asked: PersonDocument, making: Making) -> str:
        bind, scope = making.bind, making.scope
        if asked.person_number is not None:
            return f"person_number = {bind(asked.person_number, 'UInt32')}"
        if asked.user_id is not None:
            user = bind(asked.user_id, "String")
            merged = scope.rows("person_id", "fct_merges", f"is_merged and previous_id = {user}")
            # Of an anonymous person the user's id is empty, which no name is.
            return f"(user_id = {user} or person_id in ({merged}))"
        device = bind(str(asked.anonymous_id), "String")
        linked = (
            f"select concat('user:', links[-1].2) from {self._devices}"  # noqa: S608 - a table's name
            f" where project_id = {PROJECT} and anonymous_id = {device} and notEmpty(links)"
        )
        return f"(person_id = concat('anonymous:', {device}) or person_id in ({linked}))"


def person_list(making: Making, conditions: list[str], asked: Page, actors: str | None = None) -> Statement:
    """Return a page of the persons for whom all conditions hold, among the `actors` of a query if there is one."""
    return making.made_now(
        "insights_person_list",
        relation=making.table("dim_persons"),
        project=PROJECT,
        condition=" and ".join(conditions) or "true",
        limit=making.bind(asked.limit + 1, "UInt32"),
        after=_after(making, asked.after, int, "UInt32"),
        actors=actors,
    )


def _found(text: str, part: str, making: Making) -> str:
    return f"positionCaseInsensitiveUTF8({text}, {making.bind(part, 'String')}) > 0"


def _after(making: Making, after: str | None, kind: type, sql_type: str) -> str | None:
    if after is None:
        return None
    at_ms, key = position(after, kind)
    return f"(fromUnixTimestamp64Milli({making.bind(at_ms, 'Int64')}, 'UTC'), {making.bind(key, sql_type)})"
