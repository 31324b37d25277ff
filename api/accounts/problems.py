"""The problem documents that operations of accounts declare, each with an example."""

from api.access.errors import CsrfTokenInvalidError, SessionNotFoundError
from api.accounts.errors import (
    AccountExistsError,
    LinkInvalidError,
    OnlyOwnerError,
    PasswordSignInNeededError,
    SignInFailedError,
)
from api.accounts.second_factor import CodeInvalidError, SecondFactorNeededError, SecondFactorStateError
from api.problems import CHANGE, TOO_OFTEN, UNSUITABLE, documented

ACCOUNT_CHANGE = CHANGE | documented(
    403,
    "A browser's request that the page did not send, or one by who did not sign in with the password",
    PasswordSignInNeededError(),
    CsrfTokenInvalidError(),
)
UNKNOWN_SESSION = documented(404, "One has no such session", SessionNotFoundError(7))
FACTOR_STATE = documented(
    409, "There is a second factor already, or none", SecondFactorStateError("There is no second factor.")
)
SIGN_IN = (
    UNSUITABLE
    | TOO_OFTEN
    | documented(
        401,
        "The address or the password is wrong, or a code is needed",
        SignInFailedError(),
        SecondFactorNeededError(),
        CodeInvalidError(),
    )
)
LEAVING = documented(
    401,
    "Nobody is signed in, the password is wrong, or a code is needed",
    SignInFailedError(),
    SecondFactorNeededError(),
) | documented(409, "An organisation would have no owner", OnlyOwnerError(1))
LINK = (
    UNSUITABLE
    | TOO_OFTEN
    | documented(404, "The link is not valid", LinkInvalidError())
    | documented(409, "There is an account already", AccountExistsError())
)
