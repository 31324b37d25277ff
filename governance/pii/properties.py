"""What a property's name says about its values.

The expressions are RE2 and Python alike and match the lowercased last key of a path in snake_case, so that ClickHouse
gates values with the very same rule as Python.
"""

import re

# Names that settle it: whatever stands in such a property is personal data, and no pattern could tell.
_NAMED: dict[str, str] = {
    "PERSON": r"^(first|last|full|middle|given|family|maiden|sur)_?name$|^surname$",
    "PASSWORD": r"(^|_)(password|passwd|pwd|passphrase|pin_code)$",
    "SECRET": r"(^|_)(secret|api_key|apikey|access_token|refresh_token|auth_token|private_key|session_token)$",
    "DATE_OF_BIRTH": r"^(dob|date_of_birth|birth_?date|birthday)$",
    "US_SSN": r"^(ssn|social_security_number)$",
    "PASSPORT": r"^passport(_number|_no)?$",
    "STREET_ADDRESS": r"^(street|street_address|address_?line_?[12]?|address[12])$",
}
# Names that may carry a person or a place: worth the model, which is too slow and too eager for all the others.
FREE_TEXT = (
    r"(^|_)(name|names|contact|recipient|author|owner|attendee|manager|salutation|signature|"
    r"address|city|town|region|location|comment|comments|message|note|notes|feedback|description|text|body|"
    r"question|answer|query|search|term|bio|about|subject|review|reason)$"
)
# … unless the name says that it is the name of a thing.
NAME_OF_A_THING = (
    r"(^|_)(event|product|item|category|brand|plan|page|screen|campaign|app|application|library|os|device|browser|"
    r"file|table|column|class|tag|host|domain|server|service|experiment|variant|feature|button|form|field|list|"
    r"collection|coupon|store|shop|timezone)_name$"
)
_THING_PARENTS = frozenset(
    {"app", "browser", "campaign", "device", "library", "network", "os", "page", "plugin", "product", "screen"}
)
# Dotted numbers in these are versions, not addresses.
VERSION = r"(^|_)(version|build|user_agent|ua|release)$"
PHONE = r"(^|_)(phone|phone_number|mobile|cell|cellphone|telephone|tel|fax|msisdn|whatsapp)$"
# What ClickHouse lets through to the recognisers whatever it looks like.
GATED = "|".join([*_NAMED.values(), FREE_TEXT, PHONE])

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEPARATORS = re.compile(r"[^a-zA-Z0-9]+")


def key_of(path: str) -> str:
    """Return the last key of a property path in snake_case.

    >>> key_of("context.device.advertisingId")
    'advertising_id'
    >>> key_of("properties.attendees[].First Name")
    'first_name'
    """
    last = path.replace("[]", "").rsplit(".", 1)[-1]
    return _SEPARATORS.sub("_", _CAMEL.sub("_", last)).strip("_").lower()


def entity_named(path: str) -> str | None:
    """Return the kind of personal data that the property's name alone promises, or None."""
    key = key_of(path)
    return next((entity for entity, expression in _NAMED.items() if re.search(expression, key)), None)


def is_free_text(path: str) -> bool:
    """Whether the name suggests people, places or prose, so that the model is worth its time."""
    key = key_of(path)
    parents = path.split(".")[:-1]
    if key == "name" and parents and key_of(parents[-1]) in _THING_PARENTS:
        return False
    return bool(re.search(FREE_TEXT, key)) and not re.search(NAME_OF_A_THING, key)


def holds_versions(path: str) -> bool:
    """Whether dotted numbers in it are version numbers."""
    return bool(re.search(VERSION, key_of(path)))


def words(path: str) -> list[str]:
    """Return the words of the property's name, which Presidio takes as context of the value."""
    return [word for word in key_of(path).split("_") if word]
