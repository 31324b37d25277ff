"""Tables for people, who may read them in a file or a log too."""

from rich.console import Console
from rich.table import Table

# Where no terminal says how wide it is, nothing is cut.
_WIDTH_WITHOUT_TERMINAL = 240


def show(table: Table, otherwise: str) -> None:
    """Print a table as wide as the terminal, or `otherwise` when it has no rows."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH_WITHOUT_TERMINAL)
    console.print(table if table.row_count else otherwise, markup=False)
