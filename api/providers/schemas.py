"""Shapes of requests and answers about an organisation's identity providers."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, model_validator

from api.accounts.schemas import Body
from api.organisations.schemas import RoleName

_Name = Annotated[str, Field(min_length=1, max_length=200, examples=["Company login"])]
_Secret = Annotated[SecretStr | None, Field(max_length=1_000, description="Kept encrypted, and never shown again.")]
_Metadata = Annotated[str, Field(min_length=1, max_length=200_000, description="The provider's metadata, as XML.")]
_Admits = Annotated[
    bool,
    Field(description="Make a member of whoever the provider knows; false: only of those who were invited."),
]
_Role = Annotated[RoleName | None, Field(description="What whoever was not invited becomes; null: nothing as yet.")]


class NewProvider(Body):
    """An identity provider: of OpenID Connect an issuer and what we are to it, of SAML its metadata."""

    kind: Annotated[Literal["oidc", "saml"], Field(examples=["oidc"])]
    name: _Name
    issuer: Annotated[str | None, Field(min_length=1, max_length=1_000, examples=["https://login.example.com"])] = None
    client_id: Annotated[str | None, Field(min_length=1, max_length=1_000, examples=["radixinsight"])] = None
    client_secret: _Secret = None
    metadata: _Metadata | None = None
    admits_uninvited: _Admits = False
    role: _Role = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.kind == "oidc" and (self.issuer is None or self.client_id is None or self.metadata is not None):
            raise ValueError("oidc takes issuer and client_id, and no metadata")
        if self.kind == "saml" and (self.metadata is None or any((self.issuer, self.client_id, self.client_secret))):
            raise ValueError("saml takes metadata, and no issuer, client_id or client_secret")
        return self


class ProviderChange(Body):
    """What is changed of a provider; what is left out stays. Who it is never changes: delete it, and add another."""

    name: _Name | None = None
    client_secret: _Secret = None
    metadata: _Metadata | None = None
    admits_uninvited: _Admits | None = None
    role: _Role = None

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("something has to be given")
        return self


class ProviderShown(BaseModel):
    """One identity provider; its secret is not shown."""

    id: int
    kind: Literal["oidc", "saml"]
    name: str
    issuer: Annotated[str, Field(description="Of SAML the entity id.")]
    client_id: str | None
    admits_uninvited: bool
    role: str | None
    created_at: datetime
    redirect_uri: Annotated[str, Field(description="What the provider is told: of SAML where answers are posted to.")]
    metadata_url: Annotated[str | None, Field(description="Of SAML: our own metadata, and our entity id.")]


class ProviderList(BaseModel):
    """The providers of an organisation, and the domains that they speak for."""

    providers: list[ProviderShown]
    domains: Annotated[list[str], Field(description="Given by whoever runs the installation.")]
