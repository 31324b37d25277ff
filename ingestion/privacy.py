"""A project's rules on personal data, applied before anything of an event touches the disk."""

import hashlib
import hmac
import re
from collections.abc import Iterator

import msgspec
from msgspec import Raw
from msgspec.json import Decoder, Encoder

from core.metadata.collection_rules import ID_NAMES, Action, Addresses, CollectionRules, PropertyRule
from ingestion.addresses import anonymise_mentions, anonymised, is_address

MASK = "***"
HASHED = "hashed:"
"""What a hash begins with, by which it is known when it meets the rules again."""
_EMPTY = b'""'
_OPENING_BRACE, _OPENING_BRACKET, _QUOTE, _N = b'{["n'
_HASH = re.compile(HASHED + "[0-9a-f]{64}")
# Base64 of what begins with `{"`, `{ `, `[{` or `["`: Snowplow's clients send their events so.
_ENCODED_JSON = re.compile(rb'"(?:e[yw]|W[3y])[A-Za-z0-9+/_-]{6,}={0,2}"')
_ADDRESS_NAMES = frozenset({"ip", "$ip"})
_MAX_REMEMBERED_PATHS = 50_000
# By our name of an id: what the protocols call it, in the bytes of an event that was refused.
_FOREIGN_IDS = {
    "userId": r"(?:userId|user_id|\$user_id|distinct_id|\$distinct_id|uid|identity|id)",
    "anonymousId": r"(?:anonymousId|anonymous_id|device_id|\$device_id|\$anon_distinct_id|distinct_id|duid|nuid)",
    "previousId": r"(?:previousId|previous_id|alias|\$anon_distinct_id|distinct_id)",
    "groupId": r"(?:groupId|group_id|group_key|\$group_key|\$group_id|group_value)",
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
        self._rules = [_Rule(rule) for rule in rules.properties]
        self.changes = any(rule.action is not Action.KEEP for rule in self._rules)
        """Whether anything is dropped, masked or hashed."""
        self._secret = secret
        self._by_path: dict[str, list[_Rule]] = {}

    def address(self, address: str) -> str:
        """Return what is kept of an address."""
        return anonymised(address, self.addresses)

    def identifier(self, name: str, value: str) -> str:
        """Return the id of this name (`userId`, …) as it is kept."""
        return self._hash(value) if value and name in self.hashed_ids else value

    def clean(self, raw: Raw, root: str) -> Raw:
        """Return the JSON object `raw`, which is the event's member `root`, as it is kept.

        Raises msgspec's errors where it is no JSON after all.
        """
        if not self.changes and not self._mentions_address(raw):
            return raw
        cleaned = self._member(raw, root)
        return Raw(_EMPTY) if cleaned is None else cleaned

    def text(self, value: str, path: str) -> str:
        """Return a text that stands outside of JSON, as it is kept under this path."""
        if not self.changes or not value:
            return value
        kept = self._scalar(Raw(_encode(value)), path)
        return "" if kept is None else _decode_text(kept)

    def clean_reject(self, payload: bytes) -> bytes | None:
        """Return what is kept of a refused event's bytes; None when nothing can be, since they cannot be read.

        Where personal data stands in them depends on the protocol: a rule holds wherever the end of its path fits.
        """
        if self.changes:
            try:
                cleaned = self._member(Raw(payload), _ANY_ROOT) if payload else None
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                return None
            # Text alone may be anything, a query for one.
            if cleaned is None or memoryview(cleaned)[0] != _OPENING_BRACE:
                return None
            payload = bytes(cleaned)
            if _ENCODED_JSON.search(payload):
                return None
        return anonymise_mentions(payload, self.addresses)

    def _mentions_address(self, raw: Raw) -> bool:
        return self.addresses is not Addresses.KEEP and b'ip"' in bytes(raw)

    def _member(self, raw: Raw, path: str) -> Raw | None:
        """Return the value at `path` as it is kept; None when it is dropped."""
        first = memoryview(raw)[0]
        if first not in {_OPENING_BRACE, _OPENING_BRACKET}:
            return self._scalar(raw, path)
        decided = next((rule for rule in self._rules_of(path) if rule.value is None), None)
        if decided is not None:
            match decided.action:
                case Action.DROP:
                    return None
                case Action.MASK:
                    return Raw(_encode(MASK))
                case Action.KEEP if not self._mentions_address(raw):
                    return raw
                case _:
                    pass  # what lies within is hashed one by one
        if first == _OPENING_BRACE:
            members = {
                key: kept
                for key, value in _decode_object(raw).items()
                if (kept := self._named(key, value, f"{path}.{key}")) is not None
            }
            return Raw(_encode(members))
        items = [kept for item in _decode_list(raw) if (kept := self._member(item, f"{path}[]")) is not None]
        return Raw(_encode(items))

    def _named(self, key: str, value: Raw, path: str) -> Raw | None:
        if key in _ADDRESS_NAMES and self.addresses is not Addresses.KEEP and memoryview(value)[0] == _QUOTE:
            address = _decode_text(value)
            if is_address(address):
                kept = self.address(address)
                if not kept:
                    return None
                value = Raw(_encode(kept))
        return self._member(value, path)

    def _scalar(self, raw: Raw, path: str) -> Raw | None:
        rules = self._rules_of(path)
        first = memoryview(raw)[0]
        if not rules or first == _N:
            return raw
        text = _decode_text(raw) if first == _QUOTE else bytes(raw).decode()
        changed = text
        for rule in rules:
            value = rule.value
            match rule.action:
                case Action.KEEP:
                    break
                case Action.DROP if value is None or value.search(changed):
                    return None
                case Action.MASK:
                    changed = MASK if value is None else value.sub(MASK, changed)
                case Action.HASH:
                    changed = self._hash(changed) if value is None else value.sub(self._hash_match, changed)
                case _:
                    pass
            if value is None:
                break
        return raw if changed == text else Raw(_encode(changed))

    def _hash_match(self, match: re.Match[str]) -> str:
        return self._hash(match.group())

    def _hash(self, text: str) -> str:
        if _HASH.fullmatch(text):
            return text
        return HASHED + hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()

    def _rules_of(self, path: str) -> list["_Rule"]:
        """Return the rules that match a path or something that it lies within, in their order."""
        found = self._by_path.get(path)
        if found is None:
            found = [rule for rule in self._rules if rule.matches(path)]
            if len(self._by_path) < _MAX_REMEMBERED_PATHS:
                self._by_path[path] = found
        return found


KEEP_EVERYTHING = Privacy(CollectionRules(addresses=Addresses.KEEP), b"")
"""The rules of those who have none."""
_ANY_ROOT = "?"
"""Root of the paths in a refused event."""


class _Rule:
    """A rule with its expressions made ready."""

    def __init__(self, rule: PropertyRule) -> None:
        self.action = rule.action
        self.value = re.compile(rule.value) if rule.value else None
        names = rule.path.split(".")
        within = r"(?:[\[.].*)?"
        self._path = re.compile("".join(_expressions(names)) + within)
        rootless = names if names[0] == "**" or len(names) == 1 else names[1:]
        end = _FOREIGN_IDS.get(rule.path) or "".join(_expressions(rootless))
        self._end = re.compile(re.escape(_ANY_ROOT) + r"\.(?:[^.]+\.)*" + end + within)

    def matches(self, path: str) -> bool:
        """Say whether the member at `path` is this rule's, itself or as a part of one."""
        return (self._end if path.startswith(_ANY_ROOT) else self._path).fullmatch(path) is not None


def _expressions(names: list[str]) -> Iterator[str]:
    for index, name in enumerate(names):
        is_last = index == len(names) - 1
        if name == "**":
            yield ".+" if is_last else r"(?:[^.]+\.)*"
        else:
            yield re.escape(name).replace(r"\*", "[^.]*") + ("" if is_last else r"\.")
