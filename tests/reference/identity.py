"""Which person an event counts for, and what became of each alias."""

from collections.abc import Iterable

from reference.events import Event

MAX_MERGES = 100


def merges(events: Iterable[Event]) -> tuple[dict[str, str], dict[str, str]]:
    """Return (the user that each merged id counts as, why each alias was refused by message id: '' when it counts).

    Aliases are judged in event order: only the first one of an id counts, and none may close a ring.
    """
    aliases = sorted((event for event in events if event.type == "alias"), key=lambda event: event.order)
    first: dict[str, str] = {}
    parents: dict[str, str] = {}
    refusals: dict[str, str] = {}
    for alias in aliases:
        previous, user = alias.previous_id, alias.user_id
        if previous == user:
            refusals[alias.message_id] = "same_id"
        elif previous in first:
            refusals[alias.message_id] = "repeated" if first[previous] == user else "merged_elsewhere"
        else:
            first[previous] = user
            if _chain(parents, user)[-1] == previous:
                refusals[alias.message_id] = "ring"
            else:
                parents[previous] = user
                refusals[alias.message_id] = ""
    ends: dict[str, str] = {}
    for alias in aliases:
        if refusals[alias.message_id] == "":
            chain = _chain(parents, alias.previous_id)
            if len(chain) - 1 > MAX_MERGES:
                refusals[alias.message_id] = "chain_too_long"
            else:
                ends[alias.previous_id] = chain[-1]
    return ends, refusals


def persons(events: Iterable[Event]) -> dict[str, str]:
    """Return the person of each event by message id; `events` are deduplicated."""
    events = sorted(events, key=lambda event: event.order)
    ends, refusals = merges(events)
    found: dict[str, str] = {}
    for position, event in enumerate(events):
        user = event.user_id or _device_user(events, position, refusals)
        found[event.message_id] = f"user:{ends.get(user, user)}" if user else f"anonymous:{event.anonymous_id}"
    return found


def _device_user(events: list[Event], position: int, refusals: dict[str, str]) -> str:
    """Return the user whom the event's device was last linked to before it, else first after it, else ''."""
    device = events[position].anonymous_id
    before = [_link(event, device, refusals) for event in events[:position]]
    after = [_link(event, device, refusals) for event in events[position:]]
    linked_before = [user for user in before if user]
    linked_after = [user for user in after if user]
    if linked_before:
        return linked_before[-1]
    return linked_after[0] if linked_after else ""


def _link(event: Event, device: str, refusals: dict[str, str]) -> str:
    """Return the user whom `event` links `device` to, or ''."""
    if event.type == "identify" and event.anonymous_id == device:
        return event.user_id
    if event.type == "alias" and event.previous_id == device and refusals[event.message_id] == "":
        return event.user_id
    return ""


def _chain(parents: dict[str, str], user: str) -> list[str]:
    chain = [user]
    while chain[-1] in parents:
        chain.append(parents[chain[-1]])
    return chain
