"""Revenue, order by order, in decimal numbers."""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from reference.breakdown import lines
from reference.calendar_buckets import bucket, bucket_start, buckets
from reference.events import Counted

_NUMBER = re.compile(r"[-+]?(?:([0-9]+)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE]-[0-9]{1,2})?")
_MICRO = Decimal("0.000001")


@dataclass(frozen=True, kw_only=True)
class Question:
    """A range cut into buckets; `orders` names the events that may be orders, `active` those that show activity.

    `currency` None tells currencies apart; `value` breaks down; `interval` may be 'total'.
    """

    start: datetime
    end: datetime
    interval: str
    zone: ZoneInfo
    week_start: int
    orders: Collection[str]
    active: Callable[[Counted], bool] = lambda _: True
    currency: str | None = None
    value: Callable[[Counted], str] | None = None
    top: int = 10


@dataclass(frozen=True)
class Row:
    """One bucket of one value in one currency; averages are None where there is nothing to divide by."""

    currency: str
    rank: int
    is_other: bool
    value: str
    bucket: datetime
    revenue: Decimal
    orders: int
    buyers: int
    active_persons: int

    @property
    def averages(self) -> tuple[float | None, ...]:
        """Revenue of an order, of a buyer, of an active person."""
        counts = (self.orders, self.buyers, self.active_persons)
        return tuple(float(self.revenue) / count if count else None for count in counts)


def amount(event: Counted) -> Decimal | None:
    """Return what an event brings, in millionths."""
    price = _number(event, "$price", 9)
    quantity = _number(event, "$quantity", 6)
    found = [_number(event, "revenue", 15), _number(event, "$revenue", 15)]
    found.append(None if price is None else price * (1 if quantity is None else quantity))
    if event.event in {"Order Completed", "transaction"}:
        found.append(_number(event, "total", 15))
    present = [each for each in found if each is not None]
    return present[0].quantize(_MICRO, ROUND_HALF_UP) if present else None


def currency(event: Counted) -> str:
    """Return the currency in capitals, '(none)' for none, '(other)' for what is no code."""
    named = str(event.properties.get("currency", "")) or str(event.properties.get("$currency", ""))
    code = named.strip(" ").upper()
    if not code:
        return "(none)"
    return code if code.isascii() and code.isalpha() and 3 <= len(code) <= 5 else "(other)"


def revenue(events: Iterable[Counted], asked: Question) -> list[Row]:
    """Return the rows by currency, rank and bucket."""
    inside = [event for event in events if asked.start <= event.timestamp < asked.end and asked.active(event)]
    paid = [event for event in inside if event.event in asked.orders and amount(event) is not None]
    known = sorted({currency(event) for event in paid}) if asked.currency is None else [asked.currency]
    rows: list[Row] = []
    for each in known:
        paid_in = [event for event in paid if currency(event) == each]
        for line in lines(inside, asked.value, lambda event, paid_in=paid_in: _is_order(event, paid_in), asked.top):
            place = (each, line.rank, line.is_other, line.value)
            if asked.interval == "total":
                rows.append(Row(*place, asked.start, *_figures(list(line.members), paid_in)))
                continue
            calendar = (asked.interval, asked.zone, asked.week_start)
            for one in buckets(asked.start, asked.end, *calendar):
                held = [event for event in line.members if bucket(event.timestamp, *calendar) == one]
                rows.append(Row(*place, bucket_start(one, asked.zone), *_figures(held, paid_in)))
    return rows


def _is_order(event: Counted, paid: list[Counted]) -> bool:
    return event in paid and (amount(event) or 0) >= 0


def _figures(held: list[Counted], paid: list[Counted]) -> tuple[Decimal, int, int, int]:
    brought = sum((amount(event) or Decimal(0) for event in held if event in paid), Decimal(0))
    orders = [event for event in held if _is_order(event, paid)]
    buyers, active = {event.person for event in orders}, {event.person for event in held}
    return brought, len(orders), len(buyers), len(active)


def _number(event: Counted, name: str, digits: int) -> Decimal | None:
    written = event.properties.get(name, "")
    # As JavaScript writes numbers: a float of a whole number has no point.
    text = format(Decimal(repr(written)), "f") if isinstance(written, float) else str(written)
    match = _NUMBER.fullmatch(text)
    return Decimal(text) if match and len(match[1] or "") <= digits else None
