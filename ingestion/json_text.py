"""Bytes of any kind as a JSON string literal, and literals that are not quite right."""

import re

from msgspec import Raw

# A `\ud83d` without its second half, as JavaScript writes an emoji that was cut in two.
_SURROGATES = re.compile(
    rb"\\\\|(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_SPECIAL = re.compile(rb'[\x00-\x1f"\\]')


def json_string(payload: bytes) -> Raw:
    """Return `payload` between quotes, escaped for ClickHouse, which gives back the same bytes.

    Bytes that are not UTF-8 stay as they are: ClickHouse's JSON reader does not mind, and no JSON library writes them.
    """
    return Raw(b'"' + _SPECIAL.sub(lambda match: b"\\u%04x" % match.group()[0], payload) + b'"')


def mend_surrogates(body: bytes) -> bytes:
    """Put U+FFFD in place of each half of a character whose other half is missing."""
    return _SURROGATES.sub(lambda match: rb"\ufffd" if match.group(2) else match.group(), body)
