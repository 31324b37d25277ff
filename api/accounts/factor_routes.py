"""`/v1/me/second-factor`."""

from fastapi import APIRouter, Response

from api.accounts.cookies import set_device
from api.accounts.problems import ACCOUNT_CHANGE, FACTOR_STATE
from api.accounts.schemas import CodeProof, FactorOffered, PasswordAndCode, PasswordProof, RecoveryCodes
from api.dependencies import AccountHolderDep, ClientDep, ResourcesDep
from api.problems import TOO_OFTEN, UNAVAILABLE

router = APIRouter(
    prefix="/v1/me/second-factor", tags=["accounts"], responses=UNAVAILABLE | ACCOUNT_CHANGE | TOO_OFTEN | FACTOR_STATE
)


@router.post("", operation_id="offer_second_factor", summary="Begin with a second factor")
async def offer_second_factor(body: PasswordProof, user: AccountHolderDep, held: ResourcesDep) -> FactorOffered:
    """Return a secret for an authenticator. It counts once a code has confirmed it."""
    offered = await held.factors.offer(user, body.password.get_secret_value())
    return FactorOffered(secret=offered.secret, uri=offered.uri)


@router.post("/confirm", operation_id="enable_second_factor", summary="Confirm the second factor")
async def enable_second_factor(
    body: CodeProof, user: AccountHolderDep, held: ResourcesDep, client: ClientDep, response: Response
) -> RecoveryCodes:
    """Make it count from now on; all other sessions end."""
    codes, device = await held.factors.enable(user, body.code, client)
    set_device(held.settings, response, device)
    return RecoveryCodes(codes=codes)


@router.post("/recovery-codes", operation_id="renew_recovery_codes", summary="Get new recovery codes")
async def renew_recovery_codes(
    body: PasswordAndCode, user: AccountHolderDep, held: ResourcesDep, client: ClientDep
) -> RecoveryCodes:
    """Replace the recovery codes: the old ones work no more."""
    password = body.password.get_secret_value()
    return RecoveryCodes(codes=await held.factors.renew_recovery_codes(user, password, body.code, client))


@router.post("/remove", operation_id="disable_second_factor", summary="Take the second factor away", status_code=204)
async def disable_second_factor(
    body: PasswordAndCode, user: AccountHolderDep, held: ResourcesDep, client: ClientDep, response: Response
) -> None:
    """Sign in with the password alone from now on."""
    device = await held.factors.disable(user, body.password.get_secret_value(), body.code, client)
    set_device(held.settings, response, device)
