"""The running system with the demo's data, for every test in this folder."""

from demo_pipeline import pipeline

__all__ = ["pipeline"]
