"""Schemas that are proposed from what landed."""

from runtime.schema_inference import propose


def test_a_property_that_was_always_there_is_required() -> None:
    proposed = propose(
        [
            (("properties",), ["object"], 3),
            (("properties", "amount"), ["integer", "number"], 3),
            (("properties", "coupon"), ["null", "string"], 2),
        ]
    )
    assert proposed.events == 3
    assert proposed.schema == {
        "type": "object",
        "properties": {"amount": {"type": "number"}, "coupon": {"type": ["null", "string"]}},
        "required": ["amount"],
    }


def test_a_member_is_required_within_an_object_that_is_not() -> None:
    proposed = propose(
        [
            (("traits",), ["object"], 3),
            (("traits", "address"), ["object"], 2),
            (("traits", "address", "city"), ["string"], 2),
            (("traits", "address", "zip"), ["string"], 1),
        ]
    )
    assert "required" not in proposed.schema
    assert proposed.schema["properties"]["address"]["required"] == ["city"]


def test_of_the_items_of_a_list_nothing_is_required() -> None:
    proposed = propose(
        [
            (("properties",), ["object"], 1),
            (("properties", "items"), ["array"], 1),
            (("properties", "items", "[]"), ["object"], 1),
            (("properties", "items", "[]", "sku"), ["string"], 1),
        ]
    )
    assert proposed.schema["properties"]["items"] == {
        "type": "array",
        "items": {"type": "object", "properties": {"sku": {"type": "string"}}},
    }


def test_names_that_are_data_are_left_open() -> None:
    proposed = propose(
        [
            (("properties",), ["object"], 1),
            (("properties", "by_user"), ["object"], 1),
            (("properties", "by_user", "*"), ["integer"], 1),
        ]
    )
    assert proposed.schema["properties"] == {"by_user": {"type": "object"}}
