"""Shapes of requests and answers about accounts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

Token = Annotated[
    str, Field(min_length=1, max_length=200, description="The token of the link.", examples=["rm_" + "0" * 40])
]
Email = Annotated[str, Field(min_length=3, max_length=320, examples=["ada@example.com"])]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1000, examples=["four green chairs by a river"])]
NewPassword = Annotated[
    SecretStr,
    Field(min_length=1, max_length=1000, description="12 to 256 characters.", examples=["seven purple lamps at noon"]),
]
Code = Annotated[
    str,
    Field(
        min_length=1,
        max_length=40,
        description="Six digits of an authenticator, or a recovery code.",
        examples=["123456"],
    ),
]
_OwnName = Annotated[str, Field(min_length=1, max_length=200, examples=["Ada Lovelace"])]


class Sent(BaseModel):
    """What a request says. Text that no database keeps is refused."""

    @model_validator(mode="before")
    @classmethod
    def _can_be_kept(cls, given: Any) -> Any:
        for text in _texts(given):
            if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
                raise ValueError("a text holds a character that no text may hold: NUL, or half of one")
        return given


class Body(Sent):
    """What a body says. A key that is not known is refused too."""

    model_config = ConfigDict(extra="forbid")


def _texts(given: Any) -> Iterator[str]:
    # However deep a body is: no recursion.
    waiting = [given]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())


class InvitationToken(Body):
    """Which invitation."""

    invitation: Annotated[Token, Field(examples=["ri_" + "0" * 40])]


class SignUp(InvitationToken):
    """A new account, for whoever was invited."""

    name: _OwnName
    password: NewPassword


class SignIn(Body):
    """Who signs in."""

    email: Email
    password: Password
    code: Code | None = None


class RefreshToken(Body):
    """The latest refresh token of a program."""

    refresh_token: Annotated[SecretStr, Field(min_length=1, max_length=200, examples=["rf_" + "0" * 40])]


class Rename(Body):
    """What somebody is called."""

    name: _OwnName


class PasswordChange(Body):
    """The present password and the new one."""

    current: Password
    new: NewPassword


class PasswordResetRequest(Body):
    """Whose password was forgotten."""

    email: Email


class PasswordReset(Body):
    """The new password, by a mailed link."""

    token: Token
    password: NewPassword


class LinkToken(Body):
    """The token of a mailed link."""

    token: Token


class PasswordProof(Body):
    """The present password, again."""

    password: Password


class CodeProof(Body):
    """A code of the authenticator."""

    code: Code


class PasswordAndCode(PasswordProof):
    """The present password, and a code."""

    code: Code


class Deletion(PasswordProof):
    """The present password, and a code where there is a second factor."""

    code: Code | None = None


class InvitationShown(BaseModel):
    """What somebody is invited to."""

    email: str
    organisation: str
    expires_at: datetime


class OrganisationOfMine(BaseModel):
    """An organisation that one is a member of."""

    id: int
    name: str
    role: Annotated[str | None, Field(description="Null: what one may do there is granted for single projects.")]
    permissions: Annotated[list[str], Field(description="What one may do in all of its projects.")]


class Me(BaseModel):
    """Who is signed in."""

    id: int
    email: str
    name: str
    is_email_verified: bool
    has_second_factor: bool
    csrf_token: Annotated[str, Field(description="What the page sends as X-CSRF-Token with every change.")]
    organisations: list[OrganisationOfMine]


class Joined(BaseModel):
    """What one is a member of now."""

    organisation_id: int


class Tokens(BaseModel):
    """What a program signs in with. The refresh token works once."""

    token_type: Literal["Bearer"]
    access_token: str
    expires_at: Annotated[datetime, Field(description="When the access token expires, UTC.")]
    refresh_token: str


class SessionShown(BaseModel):
    """One session of one's own."""

    id: int
    kind: Literal["browser", "program"]
    created_at: datetime
    last_seen_at: datetime
    expires_at: Annotated[datetime, Field(description="When it ends if it is not used before.")]
    address: str
    user_agent: str
    is_current: bool


class SessionList(BaseModel):
    """The live sessions, the latest used first."""

    sessions: list[SessionShown]


class FactorOffered(BaseModel):
    """A second factor that waits for its first code."""

    secret: Annotated[str, Field(description="Base32, to be typed into an authenticator.")]
    uri: Annotated[str, Field(description="The same for a QR code: `otpauth://totp/…`.")]


class RecoveryCodes(BaseModel):
    """Codes that stand in for the second factor, each once. They are shown this one time."""

    codes: list[str]
