"""What a reconciliation must show, and whether it does."""

from collections.abc import Mapping, Sequence

from governance.quality.outcome import Outcome, Rule
from governance.quality.reconciliation import ProjectDay, total

RECONCILIATION_RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "nothing_lost",
            "Every acknowledged event landed or was rejected, and nothing landed that was not acknowledged: segment by "
            "segment, save for those that wait in a spool.",
            "error",
        ),
        Rule("everything_modelled", "The models have every landed event once, and no other.", "error"),
        Rule("ledger_whole", "No page of a collector's ledger is missing.", "error"),
        Rule("nothing_waits", "No event waits in a spool hours after its day.", "warning"),
    )
}


def judge(rows: Sequence[ProjectDay], *, missing_pages: int) -> list[Outcome]:
    """Return one outcome per rule, in the rules' order."""
    counted = {
        "nothing_lost": _facts(
            rows, "acknowledged", "unacknowledged", "landed", "rejected", "waiting", "lost", "doubled", "unledgered",
            "unreported", "missing_segments",
        ),
        "everything_modelled": _facts(
            rows, "landed", "duplicates", "canaries", "modelled", "unsettled", "unmodelled", "unfounded"
        ),
        "ledger_whole": {"missing_pages": missing_pages},
        "nothing_waits": _facts(rows, "waiting"),
    }  # fmt: skip
    wrong = {
        "nothing_lost": ("lost", "doubled", "unledgered"),
        "everything_modelled": ("unmodelled", "unfounded"),
        "ledger_whole": ("missing_pages",),
        "nothing_waits": ("waiting",),
    }
    return [
        Outcome(rule, passed=not any(counted[name][count] for count in wrong[name]), facts={**counted[name]})
        for name, rule in RECONCILIATION_RULES.items()
    ]


def _facts(rows: Sequence[ProjectDay], *names: str) -> dict[str, int]:
    return {name: total(rows, name) for name in names}
