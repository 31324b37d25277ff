"""`/v1/sign-up`, `/v1/sign-in`, `/v1/me`, `/v1/tokens` and what is mailed about them."""

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from api.access.errors import SessionNotFoundError
from api.accounts.cookies import delete_session, set_device, set_session
from api.accounts.problems import ACCOUNT_CHANGE, LEAVING, LINK, SIGN_IN, UNKNOWN_SESSION
from api.accounts.schemas import (
    Deletion,
    InvitationShown,
    InvitationToken,
    Joined,
    LinkToken,
    Me,
    OrganisationOfMine,
    PasswordChange,
    PasswordReset,
    PasswordResetRequest,
    RefreshToken,
    Rename,
    SessionList,
    SessionShown,
    SignIn,
    SignUp,
    Tokens,
)
from api.accounts.sessions import Opened
from api.dependencies import AccountHolderDep, ClientDep, ResourcesDep, UserDep
from api.problems import CHANGE, TOO_OFTEN, UNAVAILABLE, USER
from api.resources import Resources

router = APIRouter(prefix="/v1", tags=["accounts"], responses=UNAVAILABLE)

_SessionId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


@router.post(
    "/invitations/look-up", operation_id="look_up_invitation", summary="What one is invited to", responses=LINK
)
async def look_up_invitation(body: InvitationToken, held: ResourcesDep, client: ClientDep) -> InvitationShown:
    """Return whom the invitation is for and to which organisation."""
    invitation, organisation = await held.accounts.invitation(body.invitation, client)
    return InvitationShown(email=invitation.email, organisation=organisation, expires_at=invitation.expires_at)


@router.post(
    "/sign-up", operation_id="sign_up", summary="Make an account by invitation", responses=LINK, status_code=204
)
async def sign_up(body: SignUp, held: ResourcesDep, client: ClientDep, response: Response) -> None:
    """Make the account of whoever was invited and sign him in: a cookie is set."""
    opened = await held.accounts.sign_up(body.invitation, body.name, body.password.get_secret_value(), client)
    set_session(held.settings, response, opened.token)
    set_device(held.settings, response, opened.device)


@router.post(
    "/invitations/accept",
    operation_id="accept_invitation",
    summary="Join an organisation",
    responses=ACCOUNT_CHANGE | LINK,
)
async def accept_invitation(
    body: InvitationToken, user: AccountHolderDep, held: ResourcesDep, client: ClientDep
) -> Joined:
    """Become a member of the organisation that invited this account's address."""
    return Joined(organisation_id=await held.accounts.accept(user, body.invitation, client))


@router.post("/sign-in", operation_id="sign_in", summary="Sign in", responses=SIGN_IN, status_code=204)
async def sign_in(body: SignIn, request: Request, held: ResourcesDep, client: ClientDep, response: Response) -> None:
    """Open a session of a browser: a cookie is set that no script can read.

    A second one tells the browser from others from then on: it gets through while somebody else guesses.
    """
    device = request.cookies.get(held.settings.device_cookie_name)
    password = body.password.get_secret_value()
    opened = await held.accounts.sign_in(body.email, password, body.code, client, device=device)
    set_session(held.settings, response, opened.token)
    set_device(held.settings, response, opened.device)


@router.post("/sign-out", operation_id="sign_out", summary="Sign out", responses=CHANGE, status_code=204)
async def sign_out(user: UserDep, held: ResourcesDep, client: ClientDep, response: Response) -> None:
    """End the session, a program's too."""
    await held.sessions.end(user, user.session_id, client)
    delete_session(held.settings, response)


@router.post("/tokens", operation_id="create_tokens", summary="Sign in as a program", responses=SIGN_IN)
async def create_tokens(body: SignIn, held: ResourcesDep, client: ClientDep) -> Tokens:
    """Open a session of a program: an access token for ten minutes, and a refresh token for the next one."""
    password = body.password.get_secret_value()
    return _tokens(held, await held.accounts.sign_in(body.email, password, body.code, client, is_program=True))


@router.post("/tokens/refresh", operation_id="refresh_tokens", summary="Get the next tokens", responses=SIGN_IN)
async def refresh_tokens(body: RefreshToken, held: ResourcesDep) -> Tokens:
    """Exchange a refresh token for the next two. One that was exchanged before ends the session: somebody stole it."""
    return _tokens(held, await held.sessions.refresh(body.refresh_token.get_secret_value()))


@router.get("/me", operation_id="get_me", summary="Who is signed in", responses=USER)
async def get_me(user: UserDep, held: ResourcesDep, client: ClientDep, response: Response) -> Me:
    """Return the account, its organisations, and the CSRF token. Renews the cookie once an hour."""
    token = await held.sessions.rotate(user)
    if token is not None:
        set_session(held.settings, response, token)
    found = await held.accounts.me(user)
    return Me(
        id=found.id,
        email=found.email,
        name=found.name,
        is_email_verified=found.email_verified_at is not None,
        has_second_factor=found.totp_enabled_at is not None,
        csrf_token=held.secrets.csrf_token(user.session_id),
        organisations=[
            OrganisationOfMine(id=each.id, name=each.name, role=each.role, permissions=sorted(each.permissions))
            for each in user.organisations_from(client)
        ],
    )


@router.patch("/me", operation_id="rename_me", summary="Change one's name", responses=ACCOUNT_CHANGE, status_code=204)
async def rename_me(body: Rename, user: AccountHolderDep, held: ResourcesDep, client: ClientDep) -> None:
    """Be called something else."""
    await held.accounts.rename(user, body.name, client)


@router.post(
    "/me/deletion",
    operation_id="delete_me",
    summary="Delete one's account",
    responses=ACCOUNT_CHANGE | LEAVING,
    status_code=204,
)
async def delete_me(
    body: Deletion, user: AccountHolderDep, held: ResourcesDep, client: ClientDep, response: Response
) -> None:
    """Delete the account with its memberships and sessions, for good. The audit log keeps what it says of it."""
    await held.accounts.delete(user, body.password.get_secret_value(), body.code, client)
    delete_session(held.settings, response)


@router.post(
    "/me/password",
    operation_id="change_password",
    summary="Change one's password",
    responses=ACCOUNT_CHANGE | TOO_OFTEN,
    status_code=204,
)
async def change_password(
    body: PasswordChange, user: AccountHolderDep, held: ResourcesDep, client: ClientDep, response: Response
) -> None:
    """Set another password; all other sessions end, and no other browser is known for one of the account's own."""
    current, new = body.current.get_secret_value(), body.new.get_secret_value()
    set_device(held.settings, response, await held.recovery.change_password(user, current, new, client))


@router.post(
    "/password-resets",
    operation_id="request_password_reset",
    summary="Ask for a new password",
    responses=SIGN_IN,
    status_code=202,
    response_class=Response,
)
async def request_password_reset(body: PasswordResetRequest, held: ResourcesDep, client: ClientDep) -> None:
    """Mail a link for a new password, if there is such an account; the answer is the same if not."""
    await held.recovery.request_reset(body.email, client)


@router.post(
    "/password-resets/complete",
    operation_id="reset_password",
    summary="Choose a new password",
    responses=LINK,
    status_code=204,
)
async def reset_password(body: PasswordReset, held: ResourcesDep, client: ClientDep, response: Response) -> None:
    """Set a new password by a mailed link; all sessions end. The browser gets through while somebody else guesses."""
    device = await held.recovery.reset_password(body.token, body.password.get_secret_value(), client)
    set_device(held.settings, response, device)


@router.post(
    "/email-verifications",
    operation_id="request_email_verification",
    summary="Ask for a link that proves one's address",
    responses=ACCOUNT_CHANGE | TOO_OFTEN,
    status_code=202,
    response_class=Response,
)
async def request_email_verification(user: AccountHolderDep, held: ResourcesDep, client: ClientDep) -> None:
    """Mail the link, unless the address is proved already."""
    await held.recovery.request_verification(user, client)


@router.post(
    "/email-verifications/complete",
    operation_id="verify_email",
    summary="Prove one's address",
    responses=LINK,
    status_code=204,
)
async def verify_email(body: LinkToken, held: ResourcesDep, client: ClientDep) -> None:
    """Note that the address is the account's own."""
    await held.recovery.verify(body.token, client)


@router.get("/me/sessions", operation_id="list_sessions", summary="List one's sessions", responses=USER)
async def list_sessions(user: UserDep, held: ResourcesDep) -> SessionList:
    """Return where one is signed in; of who came by an identity provider the session that asks alone."""
    sessions = [
        SessionShown.model_validate({**vars(found), "is_current": found.id == user.session_id})
        for found in await held.sessions.all_of(user)
    ]
    return SessionList(sessions=sessions)


@router.delete(
    "/me/sessions/{session_id}",
    operation_id="end_session",
    summary="End one of one's sessions",
    responses=ACCOUNT_CHANGE | UNKNOWN_SESSION,
    status_code=204,
)
async def end_session(session_id: _SessionId, user: UserDep, held: ResourcesDep, client: ClientDep) -> None:
    """Sign out somewhere else."""
    if not await held.sessions.end(user, session_id, client):
        raise SessionNotFoundError(session_id)


def _tokens(held: Resources, opened: Opened) -> Tokens:
    access_token, expires_at = held.secrets.access_token(opened.user_id, opened.session_id)
    return Tokens(
        token_type="Bearer",  # noqa: S106 - a kind, not a secret
        access_token=access_token,
        expires_at=expires_at,
        refresh_token=opened.token,
    )
