"""The answers about accounts and organisations that the API's documentation shows."""

from typing import Any

_AT = "2026-03-20T08:00:00Z"
_LATER = "2026-04-03T08:00:00Z"
_ORGANISATION: dict[str, Any] = {
    "id": 1,
    "name": "Shop",
    "role": "viewer",
    "permissions": ["data:query", "members:read", "project:read"],
}
_ROLE = {"name": "support", "permissions": ["persons:read", "project:read"], "is_built_in": False}
_TOKENS = {
    "token_type": "Bearer",
    "access_token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "expires_at": "2026-03-20T08:10:00Z",
    "refresh_token": "rf_0000000000000000000000000000000000000000",
}
_INVITATION = {"id": 3, "email": "ada@example.com", "role": "analyst", "created_at": _AT, "expires_at": _LATER}
_PROVIDER: dict[str, Any] = {
    "id": 1,
    "kind": "oidc",
    "name": "Company login",
    "issuer": "https://login.example.com",
    "client_id": "radixinsight",
    "admits_uninvited": False,
    "role": None,
    "created_at": _AT,
    "redirect_uri": "https://insight.example.com/v1/sign-in/providers/1/callback",
    "metadata_url": None,
}
_TEAM = {"id": 1, "name": "Growth", "members": [1, 2]}
_GRANT = {
    "id": 1,
    "project_id": 1,
    "dashboard_id": None,
    "user_id": None,
    "team_id": 1,
    "role": "analyst",
    "created_at": _AT,
}
_API_KEY = {
    "id": 1,
    "name": "nightly report",
    "prefix": "rk_000000",
    "scopes": ["data:query", "project:read"],
    "created_at": _AT,
    "created_by": 1,
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
    "outlives_maker": False,
}
_WRITE_KEY = {
    "id": 1,
    "key": "wk_00000000000000000000000000000000",
    "name": "web",
    "created_at": _AT,
    "revoked_at": None,
    "allowed_origins": ["https://shop.example"],
    "events_per_second": None,
}
_CODES = {"codes": ["abcde-fghjk", "mnpqr-stuvw"]}
_PROJECT = {"id": 2, "name": "Shop", "timezone": "Europe/Berlin", "week_start": 1}

BY_OPERATION: dict[str, dict[str, Any]] = {
    "look_up_invitation": {"email": "ada@example.com", "organisation": "Shop", "expires_at": _LATER},
    "accept_invitation": {"organisation_id": 1},
    "create_tokens": _TOKENS,
    "refresh_tokens": _TOKENS,
    "get_me": {
        "id": 1,
        "email": "ada@example.com",
        "name": "Ada",
        "is_email_verified": True,
        "has_second_factor": False,
        "csrf_token": "6f1d0c7b9a3e5d42" * 4,
        "organisations": [_ORGANISATION],
    },
    "list_sessions": {
        "sessions": [
            {
                "id": 1,
                "kind": "browser",
                "created_at": _AT,
                "last_seen_at": _AT,
                "expires_at": _LATER,
                "address": "192.0.2.7",
                "user_agent": "Mozilla/5.0",
                "is_current": True,
            }
        ]
    },
    "offer_second_factor": {
        "secret": "JBSWY3DPEHPK3PXP",
        "uri": "otpauth://totp/RadixInsight:ada%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=RadixInsight",
    },
    "enable_second_factor": _CODES,
    "renew_recovery_codes": _CODES,
    "list_organisations": {"organisations": [_ORGANISATION]},
    "get_organisation": _ORGANISATION | {"allowed_networks": ["192.0.2.0/24"], "demands_provider": False},
    "find_identity_providers": {
        "providers": [
            {"id": 1, "name": "Company login", "kind": "oidc", "start": "/v1/sign-in/providers/1/start"},
        ]
    },
    "list_identity_providers": {"providers": [_PROVIDER], "domains": ["example.com"]},
    "add_identity_provider": _PROVIDER,
    "remove_member": {
        "revoked": False,
        "api_keys": [
            {
                "id": 1,
                "project_id": 1,
                "name": "nightly report",
                "prefix": "rk_000000",
                "scopes": ["data:query", "project:read"],
                "expires_at": None,
            }
        ],
        "links": [],
    },
    "list_members": {
        "members": [
            {
                "user_id": 1,
                "email": "ada@example.com",
                "name": "Ada",
                "role": "owner",
                "has_second_factor": True,
                "joined_at": _AT,
            }
        ]
    },
    "list_invitations": {"invitations": [_INVITATION]},
    "invite": _INVITATION,
    "list_roles": {
        "roles": [_ROLE],
        "permissions": [{"name": "project:read", "meaning": "See that a project is there, and its settings."}],
    },
    "create_role": _ROLE,
    "change_role": _ROLE,
    "list_teams": {"teams": [_TEAM]},
    "create_team": _TEAM | {"members": []},
    "list_grants": {"grants": [_GRANT]},
    "create_grant": _GRANT,
    "read_audit_log": {
        "entries": [
            {
                "id": 17,
                "at": _AT,
                "actor_kind": "user",
                "actor_id": 1,
                "actor_name": "ada@example.com",
                "action": "member.role_changed",
                "project_id": None,
                "target_kind": "member",
                "target_id": "2",
                "details": {"before": "viewer", "after": "analyst"},
                "address": "192.0.2.7",
                "user_agent": "Mozilla/5.0",
            }
        ],
        "next": None,
    },
    "create_project": _PROJECT,
    "change_project": _PROJECT,
    "list_api_keys": {"keys": [_API_KEY]},
    "create_api_key": _API_KEY | {"key": "rk_0000000000000000000000000000000000000000"},
    "list_write_keys": {"keys": [_WRITE_KEY]},
    "create_write_key": _WRITE_KEY,
}
