"""A project's rules on personal data, applied before anything of an event touches the disk."""

import hashlib
import hmac
import re
from collections.abc import Collection
from typing import Any

import msgspec
from msgspec import Raw
from msgspec.json import Decoder, Encoder

from core.metadata.collection_rules import ID_NAMES, Action, Addresses, CollectionRules, PropertyRule
from ingestion.addresses import anonymise_mentions, anonymise_text, anonymised, is_address_name, mentions_address
from ingestion.identity import is_legal
from ingestion.member_rules import ITEM, Rule, State

MASK = "***"
HASHED = "hashed:"
"""What a hash begins with, by which it is known when it meets the rules again."""
_EMPTY = b'""'
_OPENING_BRACE, _OPENING_BRACKET, _QUOTE, _N = b'{["n'
_HASH = re.compile(HASHED + "[0-9a-f]{64}")
_OWN_PROTOCOL = "segment"
# What an event of our own form says beside its ids and its objects. Other members never land, and are not kept here.
_PLAIN_MEMBERS = frozenset(
    {"type", "event", "messageId", "timestamp", "originalTimestamp", "sentAt", "sessionId", "groupType"}
)
_ROOTS = {
    "properties": "properties",
    "traits": "traits",
    "traitsOnce": "traits",
    "traitsIncrement": "traits",
    "context": "context",
}
"""By member of an event: under which name the rules know it."""
# Where the protocols' clients repeat an id within an event: what is hashed as an id is hashed there.
_DISTINCT = ("properties.distinct_id", "properties.$distinct_id", "traits.distinct_id", "traits.$distinct_id")
_REPEATED_IDS = {
    "userId": (*_DISTINCT, "properties.$user_id", "properties.user_id", "properties.userId", "traits.$user_id"),
    "anonymousId": (
        *_DISTINCT,
        *("properties.$device_id", "properties.device_id", "properties.$anon_distinct_id", "traits.$device_id"),
        *("properties.anonymous_id", "properties.anonymousId", "context.device.id"),
    ),
    "previousId": ("properties.alias", "properties.$anon_distinct_id", "properties.previous_id"),
    "groupId": (
        *("properties.$group_key", "properties.$group_id", "properties.group_id", "properties.groupId"),
        *("properties.$groups.*", "properties.$groups.*[]", "context.groups.*", "context.groups.*[]"),
        "context.groupId",
    ),
}
_decode_object = Decoder(dict[str, Raw]).decode
_decode_list = Decoder(list[Raw]).decode
_decode_text = Decoder(str).decode
_encode = Encoder().encode


class Privacy:
    """The rules of one project, made ready."""

    def __init__(self, rules: CollectionRules, secret: bytes) -> None:
        self.addresses = rules.addresses
        self.hashed_ids = frozenset(rule.path for rule in rules.properties if rule.path in ID_NAMES)
        """Which of the ids are hashed: `userId`, …"""
        self.has_rules = any(rule.action is not Action.KEEP for rule in rules.properties)
        """Whether anything is dropped, masked or hashed; what is done to addresses is beside that."""
        repeated = [
            PropertyRule(path=path, action=Action.HASH) for name in self.hashed_ids for path in _REPEATED_IDS[name]
        ]
        self._start = State.start([Rule(rule) for rule in [*rules.properties, *repeated] if rule.path not in ID_NAMES])
        self._keeps_addresses = rules.addresses is Addresses.KEEP
        self._secret = secret

    def address(self, address: str) -> str:
        """Return what is kept of an address."""
        return anonymised(address, self.addresses)

    def identifier(self, name: str, value: str) -> str:
        """Return the id of this name (`userId`, …) as it is kept."""
        return self._hash(value) if value and name in self.hashed_ids else value

    def clean(self, raw: Raw, json: str, root: str, ids: Collection[str] = ()) -> Raw:
        """Return the JSON object `raw`, the event's member `root`, as it is kept; `raw` itself where all of it is.

        `json` is its text, which a caller mostly has: to search a text costs a third of searching bytes.
        Texts that are one of `ids`, which are to be hashed, are hashed wherever they stand. Raises msgspec's errors
        where it is no JSON after all.
        """
        state = self._start.below(root)
        if state.is_dead and not ids and (self._keeps_addresses or not mentions_address(json)):
            return raw
        cleaned = self._member(raw, state, ids)
        return Raw(_EMPTY) if cleaned is None else cleaned

    def text(self, value: str, *path: str) -> str:
        """Return a text that stands outside of JSON, as it is kept under this path."""
        state = self._start
        for name in path:
            state = state.below(name)
        if not state.matched or not value:
            return value
        kept = self._scalar(Raw(_encode(value)), state, ())
        return "" if kept is None else _decode_text(kept)

    def clean_reject(self, payload: bytes, protocol: str, most_bytes: int) -> bytes | None:
        """Return what is kept of a refused event's bytes; None when nothing can be.

        Only events of our own form have their members where the rules look for them. With rules, others are not kept,
        nor what is no JSON or has more bytes than an event may have.
        """
        if self.has_rules:
            if protocol != _OWN_PROTOCOL or len(payload) > most_bytes:
                return None
            try:
                payload = self._clean_own(_decode_object(payload))
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                return None
        return anonymise_mentions(payload, self.addresses)

    def _clean_own(self, members: dict[str, Raw]) -> bytes:
        kept: dict[str, Any] = {}
        said = {name: _text(members[name]) for name in ID_NAMES & members.keys()}
        ids = {said[name] for name in self.hashed_ids & said.keys()}
        for name, value in members.items():
            root = _ROOTS.get(name)
            if root is not None:
                kept[name] = self.clean(value, str(value, "utf-8"), root, ids)
            elif name in said:
                # A word that names nobody stays one, so that a replay does not make a person of it.
                is_kept = name not in self.hashed_ids or memoryview(value)[0] == _N
                kept[name] = value if is_kept else self._hash_legal(said[name])
            elif name in {"name", "category"}:
                kept[name] = self.text(_text(value), "properties", name)
            elif name in _PLAIN_MEMBERS:
                kept[name] = value
        return _encode(kept)

    def _hash_legal(self, identifier: str) -> str:
        return self._hash(identifier) if is_legal(identifier) else ""

    def _member(self, raw: Raw, state: State, ids: Collection[str], *, is_address: bool = False) -> Raw | None:
        """Return the value in `state` as it is kept; None when it is dropped."""
        first = memoryview(raw)[0]
        if first not in {_OPENING_BRACE, _OPENING_BRACKET}:
            return self._scalar(raw, state, ids, is_address=is_address)
        decided = next((rule for rule in state.matched if rule.value is None), None)
        action = None if decided is None or state.may_keep_below(decided) else decided.action
        if action is Action.DROP:
            return None
        if action is Action.MASK:
            return Raw(_encode(MASK))
        # Else what lies within is looked at one by one: kept, hashed, or with its addresses.
        is_empty_dropped = decided is not None and decided.action is Action.DROP
        if first == _OPENING_BRACE:
            members: dict[str, Raw] = {}
            for name, value in _decode_object(raw).items():
                holds_address = not self._keeps_addresses and is_address_name(name)
                kept = self._member(value, state.below(name), ids, is_address=holds_address)
                if kept is not None:
                    members[name] = kept
            return Raw(_encode(members)) if members or not is_empty_dropped else None
        below = state.below(ITEM)
        items = [self._member(item, below, ids, is_address=is_address) for item in _decode_list(raw)]
        left = [kept for kept in items if kept is not None]
        return Raw(_encode(left)) if left or not is_empty_dropped else None

    def _scalar(self, raw: Raw, state: State, ids: Collection[str], *, is_address: bool = False) -> Raw | None:
        first = memoryview(raw)[0]
        if first == _N or not (state.matched or ids or is_address):
            return raw
        text = _text(raw)
        kept: str | None = text
        if is_address and first == _QUOTE:
            kept = anonymise_text(text, self.addresses).strip(" ,") or None
        if kept is not None:
            kept = self._by_rules(kept, state)
        if kept is not None and text in ids:
            kept = self._hash(text)  # whatever a rule made of it: the same id has the same hash everywhere
        return raw if kept == text else None if kept is None else Raw(_encode(kept))

    def _by_rules(self, said: str, state: State) -> str | None:
        text = said
        for rule in state.matched:
            value = rule.value
            match rule.action:
                case Action.KEEP:
                    break
                case Action.DROP if value is None or value.search(text):
                    return None
                case Action.MASK:
                    text = MASK if value is None else value.sub(MASK, text)
                case Action.HASH:
                    # Of what was said, not of what a mask has left of it, which is the same for many.
                    text = self._hash(said) if value is None else value.sub(self._hash_match, text)
                case _:
                    pass
            if value is None:
                break
        return text

    def _hash_match(self, match: re.Match[str]) -> str:
        return self._hash(match.group())

    def _hash(self, text: str) -> str:
        if _HASH.fullmatch(text):
            return text
        return HASHED + hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def _text(raw: Raw) -> str:
    return _decode_text(raw) if memoryview(raw)[0] == _QUOTE else bytes(raw).decode()


KEEP_EVERYTHING = Privacy(CollectionRules(addresses=Addresses.KEEP), b"")
"""The rules of those who have none."""
