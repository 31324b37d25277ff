"""What every program in bench/ shares: its options, the table it prints, the figures it writes and its goals.

    options = report.parse_options("Time a cold start.")
    table = report.Report("Cold start", ("what", "measured", "limit"))
    table.row("second `up`", "9.1 s", "15 s")
    table.ratio("second_up_headroom", 15 / 9.1, goal=1.0)
    sys.exit(table.finish(options))

A ratio is made so that more is better, which lets one rule judge them all: it meets its goal at the goal or above.
"""

import argparse
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

# Python looks first where the program lies: there api.py would be taken for the package of that name.
if Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path.append(sys.path.pop(0))


@dataclass(frozen=True)
class Options:
    """How a benchmark was asked to run.

    `json` is where the figures go, `check` makes a missed goal the exit status, `quick` asks for under 60 seconds.
    """

    json: Path | None
    check: bool
    quick: bool


def parse_options(description: str, arguments: list[str] | None = None) -> Options:
    """Read `--json FILE`, `--check` and `--quick` from `arguments` (the command line by default)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write ratios and goals to FILE")
    parser.add_argument("--check", action="store_true", help="exit 1 when a goal is missed")
    parser.add_argument("--quick", action="store_true", help="measure less, and end in under 60 seconds")
    parsed = parser.parse_args(arguments)
    return Options(json=parsed.json, check=parsed.check, quick=parsed.quick)


@dataclass
class Report:
    """A table of measurements and the ratios that are judged.

    `ratios` holds each figure by name; `goals` holds the least value of those that have one.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    ratios: dict[str, float] = field(default_factory=dict[str, float])
    goals: dict[str, float] = field(default_factory=dict[str, float])

    def row(self, *cells: str) -> None:
        """Add one line to the table; cells stand in the order of `columns`."""
        if len(cells) != len(self.columns):
            raise ValueError(f"the table has {len(self.columns)} columns, the row {len(cells)} cells: {cells}")
        self.rows.append(cells)

    def ratio(self, name: str, value: float, goal: float | None = None) -> None:
        """Record a figure where more is better, with the least value that is good enough when there is one."""
        self.ratios[name] = round(value, 4)
        if goal is not None:
            self.goals[name] = goal

    def missed(self) -> list[str]:
        """Name the ratios that stay below their goals."""
        return [name for name, goal in self.goals.items() if self.ratios[name] < goal]

    def render(self) -> str:
        """Lay the table out as text: first column to the left, figures to the right."""
        widths = [max(len(line[i]) for line in (self.columns, *self.rows)) for i in range(len(self.columns))]

        def line(cells: tuple[str, ...]) -> str:
            head = cells[0].ljust(widths[0])
            return "  ".join([head, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))])

        rule = "  ".join("-" * width for width in widths)
        return "\n".join([self.title, "", line(self.columns), rule, *(line(row) for row in self.rows)])

    def finish(self, options: Options) -> int:
        """Print the table and every missed goal, write the figures, and return the exit status."""
        print(self.render())
        missed = self.missed()
        for name in missed:
            print(f"goal missed: {name} is {self.ratios[name]:.3f}, wanted at least {self.goals[name]:g}")
        if options.json is not None:
            figures = {"ratios": self.ratios, "goals": self.goals}
            options.json.write_text(json.dumps(figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        return 1 if options.check and missed else 0
