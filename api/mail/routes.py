"""`/mails`: the mails that were not handed in to a server, for development."""

from email import message_from_bytes
from email.policy import default
from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from api.dependencies import ResourcesDep
from api.mail.outbox import mails_in

router = APIRouter(include_in_schema=False)
_MOST = 100
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>Mails</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}
article{{border-top:1px solid #8884;padding:1rem 0}}pre{{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}}
small{{opacity:.7}}</style>
<h1>Mails</h1><p>The latest first. None of them left this machine: no mail server is set.</p>{mails}</html>"""
_MAIL = "<article><small>{date} · to {to}</small><h2>{subject}</h2><pre>{text}</pre></article>"


@router.get("/mails")
async def show_mails(held: ResourcesDep) -> HTMLResponse:
    """Show the latest mails."""
    shown: list[str] = []
    for path in mails_in(held.outbox.directory, _MOST):
        mail = message_from_bytes(path.read_bytes(), policy=default)
        parts = {name: escape(str(mail[name])) for name in ("date", "to", "subject")}
        shown.append(_MAIL.format(**parts, text=escape(str(mail.get_content()))))
    return HTMLResponse(_PAGE.format(mails="".join(shown) or "<p>There are none yet.</p>"))
