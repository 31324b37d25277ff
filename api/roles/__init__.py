"""Roles, teams, and what is granted to whom in single projects."""
