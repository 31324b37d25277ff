"""What somebody may do, by name, and the roles that every organisation has."""

from collections.abc import Collection
from typing import Literal, get_args

Permission = Literal[
    "project:read",
    "data:query",
    "persons:read",
    "data:export",
    "sql:query",
    "insights:write",
    "persons:erase",
    "keys:manage",
    "project:manage",
    "members:read",
    "members:manage",
    "audit:read",
    "organisation:manage",
]

MEANINGS: dict[Permission, str] = {
    "project:read": "See that a project is there, and its settings.",
    "data:query": "Ask for figures: insights, event names, values of properties.",
    "persons:read": "See single events and persons, with their traits.",
    "data:export": "Take data out as files.",
    "sql:query": "Ask the modelled tables in SQL.",
    "insights:write": "Save insights, dashboards and notes, and describe events and properties.",
    "persons:erase": "Erase a person.",
    "keys:manage": "Make and revoke keys of a project.",
    "project:manage": "Make projects and change their settings.",
    "members:read": "See members, teams, roles and grants.",
    "members:manage": "Invite and remove members; change teams, roles and grants.",
    "audit:read": "Read the audit log.",
    "organisation:manage": "Change the organisation: its name, allowed networks and sign-in; make owners.",
}

# An API key stands for a program: it takes no part in who may do what.
KEY_SCOPES: tuple[Permission, ...] = (
    "project:read",
    "data:query",
    "persons:read",
    "data:export",
    "sql:query",
    "insights:write",
)
READING: tuple[Permission, ...] = tuple(scope for scope in KEY_SCOPES if scope != "insights:write")

_VIEWER: frozenset[Permission] = frozenset({"project:read", "data:query", "members:read"})
_ANALYSES: frozenset[Permission] = frozenset({"persons:read", "data:export", "sql:query", "insights:write"})
_OWNER: frozenset[Permission] = frozenset(get_args(Permission))

OWNER = "owner"
BUILT_IN: dict[str, frozenset[Permission]] = {
    OWNER: _OWNER,
    "admin": _OWNER - {"organisation:manage"},
    "analyst": _VIEWER | _ANALYSES,
    "viewer": _VIEWER,
}
"""The roles that every organisation has, by name, the most powerful first."""


def known_permissions(names: Collection[str]) -> frozenset[Permission]:
    """Return the permissions of these names; a name of no meaning counts nothing."""
    return frozenset(permission for permission in get_args(Permission) if permission in names)
