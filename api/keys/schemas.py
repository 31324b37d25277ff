"""Shapes of requests and answers about keys."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field

from api.accounts.schemas import Body

Scope = Literal["project:read", "data:query", "persons:read", "data:export", "sql:query", "insights:write"]
_Name = Annotated[str, Field(min_length=1, max_length=200, examples=["nightly report"])]


class ApiKeyShown(BaseModel):
    """One API key, without the key itself."""

    id: int
    name: str
    prefix: Annotated[str, Field(description="Its first characters, by which one recognises it.")]
    scopes: list[Scope]
    created_at: datetime
    created_by: Annotated[
        int | None, Field(description="User id, also of a former member; null: it was made on the machine itself.")
    ]
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: Annotated[datetime | None, Field(description="To the minute.")]
    outlives_maker: Annotated[
        bool, Field(description="Whether its maker, who may know it, is no member any more or may less than it.")
    ]


class ApiKeyList(BaseModel):
    """The project's API keys, the oldest first; revoked ones too."""

    keys: list[ApiKeyShown]


class NewApiKey(Body):
    """What a key is for."""

    name: _Name
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20, examples=[["project:read", "data:query"]])]
    expires_at: Annotated[AwareDatetime | None, Field(description="From then on it is refused; null: never.")] = None


class ApiKeyMade(ApiKeyShown):
    """A new API key. The key itself is shown this one time."""

    key: Annotated[str, Field(examples=["rk_" + "0" * 40])]


class WriteKeyShown(BaseModel):
    """One write key. It is no secret: it stands in pages."""

    id: int
    key: str
    name: str
    created_at: datetime
    revoked_at: datetime | None
    allowed_origins: Annotated[list[str], Field(description="Of pages that may use it; empty: every page.")]
    events_per_second: Annotated[int | None, Field(description="Most events a second; null: the project's rules say.")]


class WriteKeyList(BaseModel):
    """The project's write keys, the oldest first; revoked ones too."""

    keys: list[WriteKeyShown]


class NewWriteKey(Body):
    """What a key is for, and who may use it."""

    name: _Name
    allowed_origins: Annotated[tuple[str, ...], Field(max_length=100, examples=[["https://shop.example"]])] = ()
    events_per_second: Annotated[int | None, Field(ge=1, le=2**31 - 1)] = None
