import pytest

from governance.pii import properties


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("traits.firstName", "PERSON"),
        ("traits.Last Name", "PERSON"),
        ("properties.attendees[].full_name", "PERSON"),
        ("properties.user.password", "PASSWORD"),
        ("context.apiKey", "SECRET"),
        ("traits.birthday", "DATE_OF_BIRTH"),
        ("properties.address.street", "STREET_ADDRESS"),
    ],
)
def test_some_names_promise_personal_data(path: str, entity: str) -> None:
    assert properties.entity_named(path) == entity


@pytest.mark.parametrize(
    "path", ["properties.product_name", "properties.plan", "context.library.name", "properties.birthday_discount"]
)
def test_most_names_promise_nothing(path: str) -> None:
    assert properties.entity_named(path) is None


@pytest.mark.parametrize("path", ["properties.comment", "traits.name", "properties.shippingCity", "properties.contact"])
def test_names_that_suggest_people_places_or_prose_are_worth_the_model(path: str) -> None:
    assert properties.is_free_text(path)


@pytest.mark.parametrize(
    "path",
    ["properties.product_name", "context.library.name", "context.os.name", "properties.price", "context.campaign.name"],
)
def test_names_of_things_are_not_worth_the_model(path: str) -> None:
    assert not properties.is_free_text(path)


def test_dotted_numbers_in_a_version_are_not_addresses() -> None:
    assert properties.holds_versions("context.os.version")
    assert properties.holds_versions("context.userAgent")
    assert not properties.holds_versions("context.ip")
