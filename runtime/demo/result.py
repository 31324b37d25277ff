"""The demo's first result: a funnel, read from the API."""

from datetime import datetime, timedelta
from typing import Any

import httpx
from rich.table import Table

from runtime.demo.dataset import FUNNEL_STEPS
from runtime.errors import OperationError

_WINDOW = "14d"
_BAR = 24
# The data set spans 178 days, and its copies begin up to 14 days earlier.
_DATA_SPAN = timedelta(days=200)


def fetch_funnel(api_url: str, api_key: str, project_id: int, ends_at: datetime) -> list[dict[str, Any]]:
    """Return the steps of the demo's funnel over all of its data, as the API answers them. Raises OperationError."""
    parameters = {
        "step": list(FUNNEL_STEPS),
        "window": _WINDOW,
        "from": (ends_at - _DATA_SPAN).isoformat(),
        "to": (ends_at + timedelta(seconds=1)).isoformat(),
    }
    try:
        response = httpx.get(
            f"{api_url}/v1/projects/{project_id}/insights/funnel",
            params=parameters,
            headers={"Authorization": f"Bearer {api_key}"},
            timeout=60,
            trust_env=False,
        )
    except httpx.TransportError as error:
        raise OperationError(f"The API at {api_url} does not answer: {error!r}") from error
    if response.is_error:
        raise OperationError(f"The API refused the funnel: {response.status_code} {response.text}")
    return response.json()["data"]["steps"]


def funnel_table(steps: list[dict[str, Any]]) -> Table:
    """Lay the funnel out for a terminal: persons, conversion from the first and from the previous step, a bar."""
    table = Table(title="Funnel: persons who did the steps in order within 14 days", title_justify="left", box=None)
    table.add_column("Step")
    for heading in ("Persons", "of first", "of previous"):
        table.add_column(heading, justify="right")
    table.add_column("")
    first = steps[0]["persons"] or 1
    previous = steps[0]["persons"] or 1
    for step in steps:
        persons = step["persons"]
        table.add_row(
            f"{step['step']}. {FUNNEL_STEPS[step['step'] - 1]}",
            f"{persons:,}",
            f"{persons / first:.1%}",
            f"{persons / previous:.1%}",
            f"[cyan]{'█' * max(round(_BAR * persons / first), 1 if persons else 0)}[/cyan]",
        )
        previous = persons or 1
    return table
