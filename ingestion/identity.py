"""Which ids can name a person."""

MAX_ID_BYTES = 200

# Compared without regard to case and surrounding space. Each is what a client sends when it means nobody; as an id it
# would melt all of them into one person.
_ILLEGAL = frozenset(
    {
        "",
        "null",
        "none",
        "nil",
        "undefined",
        "nan",
        "0",
        "-1",
        "true",
        "false",
        "anonymous",
        "guest",
        "id",
        "distinct_id",
        "user_id",
        "not_authenticated",
        "email",
        "[object object]",
        "00000000-0000-0000-0000-000000000000",
        "00000000000000000000000000000000",
    }
)
_MAX_BYTES_PER_CHARACTER = 4


def as_text(value: str | float | None) -> str | None:
    """Return an id as text; a number as JavaScript would print it. None stays None: it means absent."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def is_legal(identifier: str) -> bool:
    """Say whether `identifier` can name one person (or group)."""
    if "\0" in identifier or exceeds_bytes(identifier, MAX_ID_BYTES):
        return False
    return identifier.strip().lower() not in _ILLEGAL


def shown(identifier: str | None) -> str:
    """Say in an error which id it was: a word that names nobody; of any other, which may be somebody's, only its fault.

    >>> shown("Guest"), shown("ada@example.org" + chr(0))
    ("'Guest'", '(with a NUL in it)')
    """
    if identifier is None:
        return "None"
    if "\0" in identifier:
        return "(with a NUL in it)"
    if exceeds_bytes(identifier, MAX_ID_BYTES):
        return f"(of more than {MAX_ID_BYTES} bytes)"
    return repr(identifier)


def exceeds_bytes(text: str, limit: int) -> bool:
    """Say whether `text` takes more than `limit` bytes in UTF-8, without encoding what is clearly short."""
    return len(text) * _MAX_BYTES_PER_CHARACTER > limit and len(text.encode()) > limit
