"""Answers of saved insights, made beforehand."""
