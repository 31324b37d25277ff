"""Expectations on the landing data, and the proof that nothing is lost on the way from collector to models."""

from governance.quality.judgement import RECONCILIATION_RULES, judge
from governance.quality.landing import EXPECTATIONS, LandingThresholds
from governance.quality.outcome import Outcome, Rule
from governance.quality.reconciliation import Databases, ProjectDay, missing_pages, reconcile
from governance.quality.validation import validate_landing

__all__ = [
    "EXPECTATIONS",
    "RECONCILIATION_RULES",
    "Databases",
    "LandingThresholds",
    "Outcome",
    "ProjectDay",
    "Rule",
    "judge",
    "missing_pages",
    "reconcile",
    "validate_landing",
]
