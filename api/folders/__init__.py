"""Folders, in which insights and dashboards lie."""
