"""`/v1/organisations/{organisation_id}/identity-providers`."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from api.access.principals import OrganisationAccess
from api.dependencies import ActingDep, ResourcesDep, organisation_for
from api.federation.problems import PROVIDER
from api.problems import CHANGE, CONFLICT, ORGANISATION, UNAVAILABLE, USER
from api.providers.schemas import NewProvider, ProviderChange, ProviderList, ProviderShown
from api.settings import ApiSettings
from core.metadata.identity import IdentityProvider

router = APIRouter(
    prefix="/v1/organisations/{organisation_id}/identity-providers",
    tags=["organisations"],
    responses=USER | ORGANISATION | UNAVAILABLE,
)
_Owner = Annotated[OrganisationAccess, Depends(organisation_for("organisation:manage"))]
_ProviderId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


@router.get("", operation_id="list_identity_providers", summary="List its identity providers")
async def list_identity_providers(organisation: _Owner, held: ResourcesDep) -> ProviderList:
    """Return by whom members can sign in, and for the addresses of which domains."""
    found, domains = await held.providers.all_of(organisation)
    return ProviderList(providers=[_shown(held.settings, each, role) for each, role in found], domains=domains)


@router.post(
    "",
    operation_id="add_identity_provider",
    summary="Add an identity provider",
    responses=CHANGE | ORGANISATION | CONFLICT | PROVIDER,
    status_code=201,
)
async def add_identity_provider(
    body: NewProvider, organisation: _Owner, by: ActingDep, held: ResourcesDep
) -> ProviderShown:
    """Add one, after asking it who it is. It speaks for addresses of the organisation's domains alone."""
    return _shown(held.settings, await held.providers.add(by, organisation, body), body.role)


@router.patch(
    "/{provider_id}",
    operation_id="change_identity_provider",
    summary="Change an identity provider",
    responses=CHANGE | ORGANISATION | CONFLICT | PROVIDER,
    status_code=204,
)
async def change_identity_provider(
    body: ProviderChange, provider_id: _ProviderId, organisation: _Owner, by: ActingDep, held: ResourcesDep
) -> None:
    """Change its name, its secret or metadata, or whom it lets in."""
    await held.providers.change(by, organisation, provider_id, body)


@router.delete(
    "/{provider_id}",
    operation_id="delete_identity_provider",
    summary="Delete an identity provider",
    responses=CHANGE | ORGANISATION,
    status_code=204,
)
async def delete_identity_provider(
    provider_id: _ProviderId, organisation: _Owner, by: ActingDep, held: ResourcesDep
) -> None:
    """Delete it, and end the sessions that it opened. Members stay."""
    await held.providers.delete(by, organisation, provider_id)


def _shown(settings: ApiSettings, provider: IdentityProvider, role: str | None) -> ProviderShown:
    base = f"{settings.public_url}/v1/sign-in/providers/{provider.id}"
    is_saml = provider.kind == "saml"
    return ProviderShown.model_validate(
        {
            **vars(provider),
            "role": role,
            "redirect_uri": f"{base}/acs" if is_saml else f"{base}/callback",
            "metadata_url": f"{base}/metadata" if is_saml else None,
        }
    )
