"""Shapes of answers about saved insights."""

from api.saved.contents import InsightContent
from api.saved.schemas import SharedStamp, Stamp


class AskedInsight(InsightContent, Stamp):
    """A saved question that a dashboard asks."""


class SavedInsight(InsightContent, SharedStamp):
    """A question that was saved."""
