"""What does not fit is said in plain words, with what was sent, unless that is secret."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import AwareDatetime, BaseModel, Field, SecretStr, StringConstraints, ValidationError, create_model

from core.validation import pointer, sentence

_Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=2, max_length=5, pattern="^[a-z]*$")]


class _One(BaseModel):
    kind: Literal["one"]


class _Two(BaseModel):
    kind: Literal["two"]


_Either = Annotated[_One | _Two, Field(discriminator="kind")]


def _said(wanted: Any, given: Any, name: str = "value") -> str:
    fields: dict[str, Any] = {name: (wanted, ...)}
    with pytest.raises(ValidationError) as raised:
        create_model("Sent", **fields).model_validate({name: given})
    (error,) = raised.value.errors()
    return sentence(error)


@pytest.mark.parametrize(
    ("wanted", "given", "said"),
    [
        (_Text, " ", "it may not be empty"),
        (_Text, "a", "it has to have at least 2 characters, not 1"),
        (_Text, "abcdef", "it may have at most 5 characters, not 6"),
        (_Text, "a b", "it has to match the pattern ^[a-z]*$, not 'a b'"),
        (str, 5, "it has to be a text, not 5"),
        (str, None, "it has to be a text, not null"),
        (int, "x" * 1000, f"it has to be a whole number, not '{'x' * 59}…"),
        (int, 1.5, "it has to be a whole number, not 1.5"),
        (Annotated[int, Field(ge=1)], 0, "it has to be 1 or more, not 0"),
        (Annotated[int, Field(lt=12)], 12, "it has to be less than 12, not 12"),
        (float, "much", "it has to be a number, not 'much'"),
        (Annotated[float, Field(allow_inf_nan=False)], float("inf"), "it has to be a number, not inf"),
        (bool, "maybe", "it has to be true or false, not 'maybe'"),
        (Literal["day", "week"], "year", "it has to be 'day' or 'week', not 'year'"),
        (Annotated[list[int], Field(min_length=2)], [1], "there have to be at least 2, not 1"),
        (Annotated[list[int], Field(max_length=1)], [1, 2], "there may be at most 1, not 2"),
        (list[int], {}, "it has to be a list, not a mapping"),
        (_One, [], "it has to be a mapping of keys to values, not a list"),
        (_One, "whatever was sent", "it has to be a mapping of keys to values, not a text"),
        (_Either, {"kind": "three"}, "'kind' has to be one of 'one', 'two'"),
        (_Either, {}, "'kind' has to be there"),
        (
            AwareDatetime,
            "2026-03-01T09:00:00",
            "it has to say its offset from UTC, as in 2026-03-01T09:00:00Z, not '2026-03-01T09:00:00'",
        ),
        (AwareDatetime, "soon", "it has to be an instant such as 2026-03-01T09:00:00Z, not 'soon'"),
    ],
)
def test_it_is_said_what_was_wanted_and_what_was_sent(wanted: Any, given: Any, said: str) -> None:
    assert _said(wanted, given) == said


@pytest.mark.parametrize("name", ["password", "new", "client_secret", "token", "code", "invitation", "SAMLResponse"])
@pytest.mark.parametrize("wanted", [_Text, Annotated[SecretStr, Field(max_length=3)], Literal["x"], list[int]])
def test_a_secret_is_not_repeated_nor_how_long_it_is(name: str, wanted: Any) -> None:
    for given in ("hunter 2", 123456):
        said = _said(wanted, given, name)
        assert "hunter" not in said
        assert "123456" not in said
        assert "not" not in said


def test_a_pointer_escapes_what_means_something_in_it() -> None:
    assert pointer(("steps", 1, "a/b~c")) == "/steps/1/a~1b~0c"
    assert pointer(()) == ""
