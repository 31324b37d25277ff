"""Shapes of requests and answers about signing in by a provider."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.accounts.schemas import Body, Email


class ProviderQuestion(Body):
    """Whose providers."""

    email: Email


class ProviderChoice(BaseModel):
    """One provider that somebody can sign in by."""

    id: int
    name: str
    kind: Literal["oidc", "saml"]
    start: Annotated[str, Field(description="Where the browser goes; `?return_to=/…` says where it comes back.")]


class ProviderChoices(BaseModel):
    """The providers that speak for an address; none: it signs in with a password."""

    providers: list[ProviderChoice]


class OpenIdAnswer(BaseModel):
    """What an OpenID provider lets the browser bring back; whatever else it adds is not looked at."""

    state: Annotated[str, Field(min_length=1, max_length=200)]
    code: Annotated[str, Field(max_length=4_000, description="Left out: the provider did not let him in.")] = ""
    iss: Annotated[str | None, Field(max_length=2_000, description="Who answers (RFC 9207).")] = None
