"""What the events of the API's test projects say beside their names, told from each event alone."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from reference.events import Counted, Event
from reference.sessions import sessions

PLANS = ("pro", "team", "", "(none)", "it's \\ {x:String} '; drop table -- 💶")
TEAMS = ("red", "blue", "")
TIERS = {"c0": "gold", "c1": "silver", "c2": "gold"}
COUNTRIES = ("DE", "FR", "")


class Told(Protocol):
    """An event of a test project."""

    @property
    def timestamp_ms(self) -> int:
        """Milliseconds since 1970."""
        ...

    @property
    def sequence(self) -> int:
        """Its place in the request."""
        ...

    @property
    def person(self) -> str:
        """Who did it."""
        ...

    @property
    def name(self) -> str:
        """What it is called."""
        ...


def properties_of(event: Told) -> dict[str, Any]:
    """Return an event's properties; an empty plan is left out."""
    plan = PLANS[_number(event) % len(PLANS)]
    own: dict[str, Any] = {"total": _number(event) % 97 + 0.25, "cart": {"size": _number(event) % 4}, "currency": "EUR"}
    if event.name == "purchase":
        own["revenue"] = own["total"] - 20
    return own | ({"plan": plan} if plan else {})


def type_of(event: Told) -> str:
    """Return its type: views of products are pages."""
    return "page" if event.name == "product_view" else "track"


def path_of(event: Told) -> str:
    """Return the path of its page, empty for none."""
    return f"/product/{_number(event) % 5}" if type_of(event) == "page" else ""


def country_of(event: Told) -> str:
    """Return its country, empty for none."""
    return COUNTRIES[_number(event) // 7 % len(COUNTRIES)]


def traits_of(person: str) -> dict[str, Any]:
    """Return a person's traits."""
    number = int(person.removeprefix("person-"))
    team = TEAMS[number % len(TEAMS)]
    return {"seats": number} | ({"team": team} if team else {})


def group_of(event: Told) -> str:
    """Return the company that it belongs to, empty for none."""
    number = int(event.person.removeprefix("person-"))
    return f"c{number % 4}" if number % 5 else ""


def _number(event: Told) -> int:
    return event.timestamp_ms // 1000 + event.sequence * 7 + int(event.person.removeprefix("person-"))


def counted(events: Iterable[Told]) -> list[Counted]:
    """Return the events of a project as the reference reads them, each with its derived session."""
    numbered = [(f"m{number}", event) for number, event in enumerate(events)]
    landed = [
        Event(
            message_id=name, timestamp=_at(event), received_at=_at(event), user_id=event.person, sequence=event.sequence
        )
        for name, event in numbered
    ]
    session_of = sessions(landed, {name: event.person for name, event in numbered}, timedelta(minutes=30))
    return [
        Counted(
            message_id=name,
            event=event.name,
            person=event.person,
            timestamp=_at(event),
            received_at=_at(event),
            sequence=event.sequence,
            session=str(session_of[name]),
            type=type_of(event),
            group=group_of(event),
            path=path_of(event),
            properties=properties_of(event) | {"country": country_of(event), "size": _number(event) % 4},
        )
        for name, event in numbered
    ]


def _at(event: Told) -> datetime:
    return datetime.fromtimestamp(event.timestamp_ms / 1000, UTC)


def plan_of(event: Counted) -> str:
    """Return the plan of a counted event, empty for none."""
    return str(event.properties.get("plan", ""))


def country_in(event: Counted) -> str:
    """Return the country of a counted event, empty for none."""
    return str(event.properties["country"])


def team_of(event: Counted) -> str:
    """Return the team of a counted event's person, empty for none."""
    return str(traits_of(event.person).get("team", ""))


def total_of(event: Counted) -> float:
    """Return the total of a counted event."""
    return float(event.properties["total"])
