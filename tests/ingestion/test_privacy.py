import json
import time
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from core.metadata.collection_rules import Action, Addresses, CollectionRules, PropertyRule
from ingestion.addresses import anonymise_mentions, anonymised
from ingestion.identity import is_legal
from ingestion.privacy import HASHED, MASK, Privacy

EMAIL = r"[^\s@]+@[^\s@]+\.[a-z]+"


def privacy(*rules: tuple[str, Action] | tuple[str, Action, str], addresses: Addresses = Addresses.KEEP) -> Privacy:
    """Make the rules of a project out of path, action and expression."""
    made = [PropertyRule(path=rule[0], action=rule[1], value="".join(rule[2:])) for rule in rules]
    return Privacy(CollectionRules(addresses=addresses, properties=made), b"a secret")


def as_kept(rules: Privacy, raw: Raw, root: str = "properties") -> Raw:
    """Return what is kept of a member."""
    return rules.clean(raw, bytes(raw).decode(), root)


def clean(rules: Privacy, value: dict[str, Any], root: str = "properties") -> Any:
    """Return what is left of a member after the rules."""
    return json.loads(bytes(as_kept(rules, Raw(json.dumps(value).encode()), root)))


def test_a_member_is_dropped_masked_or_hashed_by_its_path() -> None:
    rules = privacy(
        ("properties.card.number", Action.DROP), ("properties.card.*", Action.MASK), ("properties.phone", Action.HASH)
    )
    cleaned = clean(rules, {"card": {"number": 4111, "holder": "Ada"}, "phone": "123", "price": 9.50})
    assert cleaned["card"] == {"holder": MASK}
    assert cleaned["phone"].startswith(HASHED)
    assert cleaned["price"] == 9.5


def test_the_first_rule_that_matches_decides() -> None:
    rules = privacy(("properties.card", Action.DROP), ("properties.card.brand", Action.KEEP))
    assert clean(rules, {"card": {"brand": "visa", "number": 1}, "x": 1}) == {"x": 1}
    rules = privacy(("properties.card.brand", Action.KEEP), ("properties.card.*", Action.DROP))
    assert clean(rules, {"card": {"brand": "visa", "number": 1}}) == {"card": {"brand": "visa"}}


def test_two_stars_match_at_any_depth_and_in_lists() -> None:
    rules = privacy(("**.email", Action.MASK))
    value = {"email": "a", "users": [{"email": "b", "n": 1}, {"n": 2}], "deep": {"er": {"email": ["c", "d"]}}}
    assert clean(rules, value) == {
        "email": MASK,
        "users": [{"email": MASK, "n": 1}, {"n": 2}],
        "deep": {"er": {"email": MASK}},
    }


def test_a_star_stands_for_one_name_or_a_part_of_one_and_for_no_item() -> None:
    rules = privacy(("properties.*.mail", Action.DROP), ("properties.card_*", Action.MASK))
    value = {"a": {"mail": 1}, "b": [{"mail": 2}], "card_no": 3, "mail": 4, "a.mail": 5}
    assert clean(rules, value) == {"a": {}, "b": [{"mail": 2}], "card_no": MASK, "mail": 4, "a.mail": 5}


def test_a_list_is_named_with_brackets_as_the_scan_for_personal_data_does() -> None:
    rules = privacy(("properties.users[].name", Action.DROP))
    assert clean(rules, {"users": [{"name": "Ada", "n": 1}]}) == {"users": [{"n": 1}]}


@pytest.mark.parametrize(
    ("action", "left"),
    [
        (Action.DROP, {"card": {"brand": "visa"}}),
        (Action.MASK, {"card": {"brand": "visa", "number": MASK, "of": MASK}}),
    ],
)
def test_keep_keeps_a_member_of_what_a_later_rule_decides_on(action: Action, left: dict[str, Any]) -> None:
    rules = privacy(("properties.card.brand", Action.KEEP), ("properties.card", action))
    assert clean(rules, {"card": {"brand": "visa", "number": "4111", "of": {"name": "Ada"}}}) == left
    without = clean(rules, {"card": {"number": "4111"}, "o": 1})
    assert without == ({"o": 1} if action is Action.DROP else {"card": {"number": MASK}, "o": 1})
    late = privacy(("properties.card", action), ("properties.card.brand", Action.KEEP))
    assert clean(late, {"card": {"brand": "visa"}}) == ({} if action is Action.DROP else {"card": MASK})


def test_ids_of_different_persons_have_different_hashes_under_a_mask_too() -> None:
    rules = privacy(("userId", Action.HASH), ("**", Action.MASK, EMAIL))

    def repeated(name: str, email: str, ids: set[str]) -> str:
        raw = Raw(json.dumps({name: email}).encode())
        return msgspec.json.decode(rules.clean(raw, bytes(raw).decode(), "properties", ids))[name]

    for name in ("distinct_id", "user"):
        ada, bob = (repeated(name, email, {email}) for email in ("ada@example.org", "bob@example.org"))
        assert ada == rules.identifier("userId", "ada@example.org") != bob
    # Where the id itself is not known, as in another person's event.
    assert repeated("distinct_id", "ada@example.org", set()) == rules.identifier("userId", "ada@example.org")


def test_of_a_text_only_what_matches_is_masked_or_hashed_and_other_rules_still_look() -> None:
    rules = privacy(("**", Action.MASK, EMAIL), ("**", Action.HASH, r"\d{4,}"))
    cleaned = clean(rules, {"note": "ada@example.org called 5551234", "n": 4111111111111111, "m": 12})
    assert cleaned["note"].startswith(f"{MASK} called {HASHED}")
    assert cleaned["n"].startswith(HASHED)
    assert cleaned["m"] == 12


def test_a_member_is_dropped_by_its_value() -> None:
    rules = privacy(("properties.**", Action.DROP, EMAIL))
    assert clean(rules, {"a": "ada@example.org", "b": ["x", "y@z.org"], "c": None}) == {"b": ["x"], "c": None}


def test_everything_within_a_hashed_object_is_hashed_and_null_stays_null() -> None:
    cleaned = clean(privacy(("properties.who", Action.HASH)), {"who": {"name": "Ada", "tags": ["x"], "age": None}})
    assert cleaned["who"]["name"].startswith(HASHED)
    assert cleaned["who"]["tags"][0].startswith(HASHED)
    assert cleaned["who"]["age"] is None


def test_equal_values_have_equal_hashes_that_differ_between_projects_and_are_not_hashed_again() -> None:
    rule = PropertyRule(path="userId", action=Action.HASH)
    one, other = (Privacy(CollectionRules(properties=[rule]), secret) for secret in (b"one", b"other"))
    hashed = one.identifier("userId", "ada")
    assert hashed == one.identifier("userId", "ada") == one.identifier("userId", hashed) != "ada"
    assert hashed != other.identifier("userId", "ada")
    assert one.identifier("anonymousId", "ada") == "ada"


def test_numbers_that_no_rule_names_stay_digit_for_digit() -> None:
    text = b'{"big":12345678901234567890123,"price":1.10,"email":"x"}'
    cleaned = as_kept(privacy(("properties.email", Action.DROP)), Raw(text))
    assert bytes(cleaned) == b'{"big":12345678901234567890123,"price":1.10}'


def test_rules_of_one_root_leave_the_others_alone() -> None:
    rules = privacy(("traits.email", Action.DROP))
    assert clean(rules, {"email": "x"}) == {"email": "x"}
    assert clean(rules, {"email": "x"}, "traits") == {}


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0"),
        ("2001:db8:7:8::9", "2001:db8:7::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_of_an_address_the_network_is_kept(address: str, network: str) -> None:
    assert anonymised(address, Addresses.TRUNCATE) == network
    assert anonymised(address, Addresses.DROP) == ""
    assert anonymised(address, Addresses.KEEP) == address


def test_addresses_within_an_event_follow_the_same_rule() -> None:
    value = {"ip": "203.0.113.77", "$ip": "2001:db8:7:8::9", "title": "ip", "server": {"ip": "Star Wars"}}
    assert clean(privacy(addresses=Addresses.TRUNCATE), value) == value | {"ip": "203.0.113.0", "$ip": "2001:db8:7::"}
    assert clean(privacy(addresses=Addresses.DROP), value) == {"title": "ip", "server": {"ip": "Star Wars"}}
    kept = privacy(("context", Action.KEEP), ("**", Action.MASK), addresses=Addresses.TRUNCATE)
    assert clean(kept, {"ip": "203.0.113.77", "a": 1}, "context") == {"ip": "203.0.113.0", "a": 1}


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ('"203.0.113.77, 10.0.0.1"', "203.0.113.0, 10.0.0.0"),
        ('"203.0.113.77:4711"', "203.0.113.0:4711"),
        ('["203.0.113.77"]', ["203.0.113.0"]),
    ],
)
@pytest.mark.parametrize(
    "name", ["ip", "$ip", "_ip", "ipAddress", "$ip_address", "IP", "Ip_Address", "\\u0069p", "\\u0024ip"]
)
def test_an_address_is_truncated_however_it_is_written(name: str, said: str, kept: Any) -> None:
    raw = Raw(f'{{"{name}":{said}}}'.encode())
    (value,) = json.loads(bytes(as_kept(privacy(addresses=Addresses.TRUNCATE), raw, "context"))).values()
    assert value == kept


@pytest.mark.parametrize(
    "payload",
    [
        b'{"properties":{"$ip":"203.0.113.77"}',
        b'{"context":{"ip": "203.0.113.77"}}',
        b"e=pv&ip=203.0.113.77&p=web",
        b'{"ip_address":"203.0.113.77"}',
        b'"{\\"ip\\":\\"203.0.113.77\\"}"',
        b"data=%7B%22%24ip%22%3A%22203.0.113.77%22%7D",
        b'{"ip":["203.0.113.77"]}',
    ],
)
def test_addresses_in_refused_bytes_of_any_shape_are_truncated(payload: bytes) -> None:
    assert anonymise_mentions(payload, Addresses.TRUNCATE) == payload.replace(b"203.0.113.77", b"203.0.113.0")


def test_an_object_that_mentions_no_address_stays_as_it_came() -> None:
    raw = Raw(b'{"zip": 1.50, "b":[1,{"c":"\\u00e9 ip"}], "ship":null}')
    assert as_kept(privacy(addresses=Addresses.TRUNCATE), raw) is raw


def test_what_is_no_address_stays_in_refused_bytes() -> None:
    for payload in (b'{"ip":"DEAD"}', b'{"ship":"203.0.113.77"}', b'{"zip":"90210"}'):
        assert anonymise_mentions(payload, Addresses.TRUNCATE) == payload


def test_a_refused_event_of_our_own_form_follows_the_rules_and_keeps_nothing_else() -> None:
    rules = privacy(("traits.email", Action.MASK), ("userId", Action.HASH), ("properties.card.number", Action.DROP))
    payload = {
        "type": "track",
        "userId": "ada",
        "properties": {"card": {"number": 1, "n": 2}, "who": "ada"},
        "traits": {"email": "a@b.c"},
        "traitsOnce": {"email": "a@b.c"},
        "email": "a@b.c",
    }
    cleaned = json.loads(rules.clean_reject(json.dumps(payload).encode(), "segment", 1000) or b"")
    hashed = rules.identifier("userId", "ada")
    assert cleaned == {
        "type": "track",
        "userId": hashed,
        "properties": {"card": {"n": 2}, "who": hashed},
        "traits": {"email": MASK},
        "traitsOnce": {"email": MASK},
    }


@pytest.mark.parametrize("identifier", ["null", "Guest", "x" * 300, "ada\0", ""])
def test_an_id_that_names_nobody_does_not_become_one_that_does_by_its_hash(identifier: str) -> None:
    rules = privacy(("userId", Action.HASH))
    payload = json.dumps({"type": "identify", "userId": identifier}).encode()
    cleaned = json.loads(rules.clean_reject(payload, "segment", 1000) or b"")
    assert not is_legal(cleaned["userId"])


@pytest.mark.parametrize(
    "payload", [b"e=pv&uid=ada", b'{"broken', b'"text"', b"[1]", b"", b"\xff{", b"{" + b" " * 1000]
)
def test_refused_bytes_to_which_the_rules_cannot_be_applied_are_withheld(payload: bytes) -> None:
    assert privacy(("traits.email", Action.MASK)).clean_reject(payload, "segment", 1000) is None
    assert privacy().clean_reject(payload, "segment", 1000) == payload


def test_refused_bytes_of_other_protocols_are_withheld_where_there_are_rules() -> None:
    """Personal data may stand anywhere in them."""
    assert privacy(("traits.email", Action.MASK)).clean_reject(b'{"event":"a"}', "posthog", 1000) is None
    assert privacy(("traits.email", Action.KEEP)).clean_reject(b'{"event":"a"}', "posthog", 1000) == b'{"event":"a"}'


@pytest.mark.parametrize(
    ("name", "root", "value"),
    [
        ("userId", "properties", {"distinct_id": "x", "$user_id": "x"}),
        ("anonymousId", "properties", {"$device_id": "x", "$anon_distinct_id": "x"}),
        ("anonymousId", "context", {"device": {"id": "x"}}),
        ("groupId", "properties", {"$group_key": "x", "$groups": {"company": "x", "team": ["x"]}}),
        ("groupId", "context", {"groups": {"company": "x"}}),
    ],
)
def test_an_id_that_is_hashed_is_hashed_where_clients_repeat_it(name: str, root: str, value: dict[str, Any]) -> None:
    assert '"x"' not in json.dumps(clean(privacy((name, Action.HASH)), value, root))


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        ([("**", Action.MASK, EMAIL)], {"a": "%40" * 5000}),
        ([("**", Action.MASK, r"[^\s@]+(@|%40)[^\s@]+\.[a-z]+")], {"a": "%40" * 5000, "b": "a" * 16_000}),
        ([("**.a.**.email", Action.DROP)], {"a." * 8000: 1}),
        ([("**.email", Action.DROP)], {f"{number}": {"x": number} for number in range(3000)}),
        ([("properties.*a*a*a*a*b", Action.DROP)], {"a" * 16_000: 1}),
    ],
)
def test_no_text_and_no_name_makes_the_rules_slow(rules: list[Any], value: dict[str, Any]) -> None:
    made = privacy(*rules)
    began = time.process_time()
    clean(made, value)
    # Milliseconds, where a backtracking expression takes minutes.
    assert time.process_time() - began < 1


def test_names_that_clients_make_are_not_remembered_without_end() -> None:
    rules = privacy(("**.email", Action.DROP), ("properties.*.x", Action.MASK))
    tracemalloc.start()
    for number in range(20):
        clean(rules, {f"{number}-{index}-{'n' * 60}": {f"{index}": index} for index in range(1000)})
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 5_000_000


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=5), _JSON, max_size=4), st.text(min_size=8, max_size=20))
def test_a_secret_is_nowhere_after_a_rule_for_all_texts(value: dict[str, Any], secret: str) -> None:
    planted = value | {"at": {"some": [secret, {"place": f"{secret}!"}]}}
    raw = Raw(msgspec.json.encode(planted))
    for action in (Action.DROP, Action.MASK, Action.HASH):
        cleaned = bytes(as_kept(privacy(("**", action)), raw))
        assert msgspec.json.encode(secret)[1:-1] not in cleaned


@given(st.dictionaries(st.text(max_size=5), _JSON, max_size=4))
def test_rules_that_match_nothing_change_nothing(value: dict[str, Any]) -> None:
    raw = Raw(msgspec.json.encode(value))
    rules = privacy(("properties.a-name-that-no-event-has", Action.DROP))
    assert msgspec.json.decode(as_kept(rules, raw)) == msgspec.json.decode(raw)
