"""Shapes of answers about saved insights."""

from api.saved.contents import InsightContent
from api.saved.schemas import Stamp


class SavedInsight(InsightContent, Stamp):
    """A question that was saved."""
