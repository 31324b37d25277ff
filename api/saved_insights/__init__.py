"""Insights: questions that were saved, and their answers."""
