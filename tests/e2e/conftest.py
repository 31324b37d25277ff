"""A browser on the page of the running system, for every test in this folder."""

from chromium import browser
from demo_pipeline import pipeline

__all__ = ["browser", "pipeline"]
