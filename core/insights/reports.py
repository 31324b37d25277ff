"""What is asked of lifecycle, stickiness, paths, web analytics and revenue."""

from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints, ValidationInfo, field_validator

from core.insights.filters import Condition, Document, Filter, Name, Subject, parts_of
from core.insights.selections import Counted, Duration, Interval, Selection, ShortSelection, Top
from core.validation import WrongPartsError

Total = Annotated[bool, Field(description="One row for the whole range, in place of one for each bucket of it.")]


class Activity(Counted):
    """Who was active in the buckets of an interval."""

    events: ShortSelection = Selection()
    interval: Interval = "day"


class LifecycleQuestion(Activity):
    """Who is new, stays, comes back and is gone, bucket by bucket."""

    kind: Literal["lifecycle"]


class StickinessQuestion(Activity):
    """In how many of the buckets persons were active."""

    kind: Literal["stickiness"]


class PathsQuestion(Document):
    """Which ways persons take."""

    kind: Literal["paths"]
    nodes: Annotated[
        Literal["event", "page_path"], Field(description="Names of events, or the paths of pages that were viewed.")
    ] = "event"
    events: ShortSelection = Selection()
    exclude: tuple[ShortSelection, ...] = ()
    groups: Annotated[
        tuple[Name, ...],
        Field(max_length=50, description="Patterns, as /product/*: a node that one fits is called like the pattern."),
    ] = ()
    window: Annotated[
        Duration | None, Field(description="How long a sequence may be; left out: it is that of a session.")
    ] = None
    start_point: Name | None = None
    end_point: Name | None = None
    max_steps: Annotated[int, Field(ge=1, le=50)] = 5
    min_sequences: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    interval: Interval = "day"

    @field_validator("exclude")
    @classmethod
    def _are_some(cls, exclude: tuple[Selection, ...]) -> tuple[Selection, ...]:
        for place, selection in enumerate(exclude):
            if not selection.names() and not selection.where:
                raise WrongPartsError(((place,), "it has to choose by event or where: any event would leave none"))
        return exclude


_Shared = Literal[
    "channel", "referrer_type", "referrer_name", "utm_source", "utm_medium", "utm_campaign", "country", "region",
    "city", "browser", "os", "device_type",
]  # fmt: skip
_OfSessions = Literal["entry_host", "entry_path", "exit_path"]
_OfViews = Literal["page_host", "page_path"]


class WebQuestion(Document):
    """Who came, from where, and what they looked at.

    It is of sessions, by columns of `fct_sessions`; told apart by pages it is of views, by columns of `fct_events`.
    """

    kind: Literal["web"]
    breakdown: Annotated[tuple[Literal[_Shared, _OfSessions, _OfViews], ...], Field(max_length=3)] = ()
    top: Top = 10
    where: tuple[Condition, ...] = ()
    interval: Interval = "day"
    total: Total = False

    @property
    def is_of_views(self) -> bool:
        """Say whether views are counted, and not sessions."""
        return _first(self.breakdown, _OfViews) is not None

    @field_validator("breakdown")
    @classmethod
    def _is_of_one(cls, breakdown: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(breakdown)) < len(breakdown):
            raise ValueError("a column stands there twice")
        view, session = _first(breakdown, _OfViews), _first(breakdown, _OfSessions)
        if view is not None and session is not None:
            raise ValueError(f"{view} is of a view and {session} of a session: choose one of them")
        return breakdown

    @field_validator("where")
    @classmethod
    def _is_known(cls, where: tuple[Condition, ...], info: ValidationInfo) -> tuple[Condition, ...]:
        if _first(info.data.get("breakdown", ()), _OfViews) is not None:
            return where
        known = get_args(_Shared)
        for place, condition in enumerate(where):
            for part in parts_of(condition, Filter):
                if part.trait is None and part.session is None and part.column not in known:
                    about = part.column or ("a group" if part.group_trait else "a property")
                    message = f"it is about {about}: sessions know traits and {', '.join(known)}"
                    raise WrongPartsError(((place,), message))
        return where


def _first(columns: tuple[str, ...], choice: object) -> str | None:
    return next((column for column in columns if column in get_args(choice)), None)


NO_CURRENCY = "(none)"
"""What orders are in that name no currency."""
Currency = Annotated[str, StringConstraints(pattern=r"^([A-Z]{3,5}|\(none\)|\(other\))$")]


class RevenueQuestion(Document):
    """What came in, from how many."""

    kind: Literal["revenue"]
    orders: Annotated[ShortSelection, Field(description="Which events are orders: several may tell of the same money.")]
    amount: Annotated[Subject | None, Field(description="Left out: what clients are known to send.")] = None
    currency: Annotated[Subject | None, Field(description="Left out: what clients are known to send.")] = None
    default_currency: Annotated[Currency | None, Field(description="Of an order that names none.")] = None
    in_currency: Annotated[Currency | None, Field(description="Left out: each currency apart.")] = None
    where: tuple[Condition, ...] = ()
    breakdown: Annotated[tuple[Subject, ...], Field(max_length=3)] = ()
    top: Top = 10
    interval: Interval = "day"
    total: Total = False

    @field_validator("amount", "currency")
    @classmethod
    def _is_of_the_order(cls, subject: Subject | None) -> Subject | None:
        if subject is not None and subject.property is None:
            raise ValueError("it has to be a property of the event")
        return subject
