"""The cookies that signing in sets: none can be read by a script, or is sent to another site."""

from fastapi import Response

from api.settings import ApiSettings

_DEVICE_SECONDS = 365 * 86_400


def set_session(settings: ApiSettings, response: Response, token: str) -> None:
    """Give the browser the token of its session."""
    _set(settings, response, settings.cookie_name, token, settings.session_idle_days * 86_400)


def set_device(settings: ApiSettings, response: Response, token: str) -> None:
    """Give the browser what tells it from others when it signs in again."""
    _set(settings, response, settings.device_cookie_name, token, _DEVICE_SECONDS)


def set_visit(settings: ApiSettings, response: Response, token: str, seconds: int) -> None:
    """Give the browser what shows that it began a visit to an identity provider."""
    _set(settings, response, settings.visit_cookie_name, token, seconds)


def delete_session(settings: ApiSettings, response: Response) -> None:
    """Take the session's token from the browser."""
    response.delete_cookie(settings.cookie_name, path="/", secure=settings.is_https, httponly=True)


def _set(settings: ApiSettings, response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, path="/", secure=settings.is_https, httponly=True, samesite="lax")
