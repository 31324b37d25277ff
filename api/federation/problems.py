"""The problem documents that operations of identity providers declare, each with an example."""

from api.federation.errors import (
    NotAdmittedError,
    ProviderAnswerInvalidError,
    ProviderInvalidError,
    ProviderNotFoundError,
    ProviderUnavailableError,
    VisitUnknownError,
)
from api.federation.visits import ReturnPathInvalidError
from api.problems import MISSPELT, TOO_OFTEN, documented

PROVIDER = documented(
    422,
    "The body does not fit, or the provider cannot be used",
    MISSPELT,
    ProviderInvalidError("The metadata hold no certificate that the provider signs with."),
) | documented(502, "The provider does not answer", ProviderUnavailableError("The provider cannot be read."))
VISIT = (
    documented(
        401, "What the provider says does not count", ProviderAnswerInvalidError("The signature is not its own.")
    )
    | documented(403, "The organisation does not let him in", NotAdmittedError("ada@example.com is not invited."))
    | documented(404, "There is no such provider, or no such visit", ProviderNotFoundError(7), VisitUnknownError())
    | documented(422, "A parameter does not fit", MISSPELT, ReturnPathInvalidError("'//evil.example' is no path."))
    | TOO_OFTEN
    | documented(502, "The provider does not answer", ProviderUnavailableError("The provider cannot be read."))
)
