"""Expectations on the landing data: volume, freshness, null rates, ranges."""

from governance.quality.landing import EXPECTATIONS, LandingThresholds
from governance.quality.outcome import Outcome, Rule
from governance.quality.validation import validate_landing

__all__ = ["EXPECTATIONS", "LandingThresholds", "Outcome", "Rule", "validate_landing"]
