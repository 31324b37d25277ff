"""Why something did not get through, and so what to do about it."""


class DeliveryError(Exception):
    """Rows were not taken for certain. Whether they are there is not known: send them again under the same name."""

    code: int | None = None
    """The server's error code, if it answered."""


class UnreachableError(DeliveryError):
    """The server did not answer."""


class UnableError(DeliveryError):
    """The server answered that it cannot take any rows now."""


class RefusedError(DeliveryError):
    """The server refused these rows. `is_certain` says that the rows are at fault, and not something unforeseen."""

    is_certain: bool = False
