"""`/v1/sign-in/providers`: a browser's way to an identity provider and back."""

from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.accounts.cookies import set_session, set_visit
from api.accounts.problems import SIGN_IN
from api.dependencies import ClientDep, ResourcesDep
from api.errors import BodyTooLargeError
from api.federation.errors import ProviderAnswerInvalidError
from api.federation.problems import VISIT
from api.federation.schemas import OpenIdAnswer, ProviderChoice, ProviderChoices, ProviderQuestion
from api.federation.service import Arrival
from api.federation.visits import LIVES
from api.problems import UNAVAILABLE
from api.resources import Resources

router = APIRouter(prefix="/v1/sign-in/providers", tags=["accounts"], responses=UNAVAILABLE)
_ProviderId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]
_State = Annotated[str, Query(min_length=1, max_length=200)]
_MOST_BYTES = 512 * 1024
_AWAY: dict[int | str, dict[str, Any]] = {
    303: {"description": "Go on there", "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}}}
}
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "properties": {"SAMLResponse": {"type": "string"}, "RelayState": {"type": "string"}},
                    "required": ["SAMLResponse", "RelayState"],
                },
                "example": {"SAMLResponse": "PHNhbWxwOlJlc3BvbnNlIC4uLg==", "RelayState": "0" * 40},
            }
        },
    }
}
_XML: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Metadata of SAML 2.0",
        "content": {"application/samlmetadata+xml": {"schema": {"type": "string"}}},
    }
}


@router.post("", operation_id="find_identity_providers", summary="By whom an address signs in", responses=SIGN_IN)
async def find_identity_providers(body: ProviderQuestion, held: ResourcesDep, client: ClientDep) -> ProviderChoices:
    """Return the identity providers that speak for the domain of an address, whether or not it has an account."""
    choices = [
        ProviderChoice.model_validate({**vars(each), "start": f"{router.prefix}/{each.id}/start"})
        for each in await held.federation.of_email(body.email, client)
    ]
    return ProviderChoices(providers=choices)


@router.get(
    "/{provider_id}/start",
    operation_id="start_provider_sign_in",
    summary="Go to an identity provider",
    responses=_AWAY | VISIT,
    status_code=303,
    response_class=RedirectResponse,
)
async def start_provider_sign_in(
    provider_id: _ProviderId,
    held: ResourcesDep,
    client: ClientDep,
    return_to: Annotated[str, Query(max_length=2_000, description="Path of the page to come back to.")] = "/",
) -> Response:
    """Send the browser to the provider. It has ten minutes to come back."""
    departure = await held.federation.start(provider_id, return_to, client)
    response = RedirectResponse(departure.address, status_code=303)
    set_visit(held.settings, response, departure.cookie, int(LIVES.total_seconds()))
    return response


@router.get(
    "/{provider_id}/callback",
    operation_id="end_openid_sign_in",
    summary="Come back from an OpenID provider",
    responses=_AWAY | VISIT,
    status_code=303,
    response_class=RedirectResponse,
)
async def end_openid_sign_in(
    provider_id: _ProviderId,
    request: Request,
    held: ResourcesDep,
    client: ClientDep,
    answer: Annotated[OpenIdAnswer, Query()],
) -> Response:
    """Open a session for whoever the provider names, and go on where the visit began."""
    cookie = request.cookies.get(held.settings.visit_cookie_name)
    return _arrived(held, await held.federation.openid_answer(provider_id, answer, cookie, client))


@router.post(
    "/{provider_id}/acs",
    operation_id="answer_saml_sign_in",
    summary="Take the answer of a SAML provider",
    responses=_AWAY | VISIT,
    openapi_extra=_FORM,
    status_code=303,
    response_class=RedirectResponse,
)
async def answer_saml_sign_in(
    provider_id: _ProviderId, request: Request, held: ResourcesDep, client: ClientDep
) -> Response:
    """Check the answer that the provider's page posts, and send the browser on to where its cookies are sent along."""
    posted = await _form(request)
    state = posted.get("RelayState", "")
    await held.federation.saml_answer(provider_id, state, posted.get("SAMLResponse", ""), client)
    address = f"{held.settings.public_url}{router.prefix}/{provider_id}/end?{urlencode({'state': state})}"
    return RedirectResponse(address, status_code=303)


@router.get(
    "/{provider_id}/end",
    operation_id="end_saml_sign_in",
    summary="Come back from a SAML provider",
    responses=_AWAY | VISIT,
    status_code=303,
    response_class=RedirectResponse,
)
async def end_saml_sign_in(
    provider_id: _ProviderId, request: Request, held: ResourcesDep, client: ClientDep, state: _State
) -> Response:
    """Open a session for whoever the provider named, and go on where the visit began."""
    cookie = request.cookies.get(held.settings.visit_cookie_name)
    return _arrived(held, await held.federation.saml_end(provider_id, state, cookie, client))


@router.get(
    "/{provider_id}/metadata",
    operation_id="get_saml_metadata",
    summary="What a SAML provider is given of us",
    responses=_XML | VISIT,
    response_class=Response,
)
async def get_saml_metadata(provider_id: _ProviderId, held: ResourcesDep) -> Response:
    """Return our metadata: the entity id, which is this address, and where answers are posted to."""
    return Response(await held.federation.metadata(provider_id), media_type="application/samlmetadata+xml")


def _arrived(held: Resources, arrival: Arrival) -> Response:
    # The whole address: nothing that stands behind it can make it another host's.
    response = RedirectResponse(held.settings.public_url + arrival.return_to, status_code=303)
    set_session(held.settings, response, arrival.token)
    return response


async def _form(request: Request) -> dict[str, str]:
    """Return the first value of each field that was posted, within bounds."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise BodyTooLargeError(_MOST_BYTES)
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=20)
    except ValueError as error:
        raise ProviderAnswerInvalidError("What was posted is no form.") from error
    return {name: values[0].replace("\0", "") for name, values in fields.items()}
