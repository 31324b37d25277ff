"""The texts of the mails about accounts."""

from api.mail.outbox import Mail


def invitation(to: str, organisation: str, by: str, link: str) -> Mail:
    """Ask somebody to join."""
    return Mail(
        to,
        f"{by} invites you to {organisation} on RadixInsight",
        f"{by} invites you to join {organisation} on RadixInsight.\n\n{link}\n\nThe link works once, for seven days. "
        "If you expected no invitation, you need do nothing.\n",
    )


def verification(to: str, link: str) -> Mail:
    """Ask somebody to show that the address is his."""
    return Mail(
        to,
        "Confirm your e-mail address",
        f"Confirm that this is your e-mail address:\n\n{link}\n\nThe link works once, for a day. "
        "If you have no account at RadixInsight, you need do nothing.\n",
    )


def password_reset(to: str, link: str) -> Mail:
    """Let somebody choose a new password."""
    return Mail(
        to,
        "Choose a new password",
        f"Choose a new password for RadixInsight:\n\n{link}\n\nThe link works once, for an hour. "
        "If you did not ask for it, you need do nothing: your password is as it was.\n",
    )


def password_changed(to: str) -> Mail:
    """Tell somebody that his password was changed, in case that it was not him."""
    return Mail(
        to,
        "Your password was changed",
        "The password of your account at RadixInsight was changed, and all other sessions were ended. "
        "If it was not you, ask for a new password now, and tell the owner of your organisation.\n",
    )


def second_factor_changed(to: str, *, is_enabled: bool) -> Mail:
    """Tell somebody that signing in takes a code now, or no more, in case that it was not him."""
    now = "takes a code of a second factor now" if is_enabled else "takes the password alone now: the code is gone"
    return Mail(
        to,
        "Your second factor was changed",
        f"Signing in to your account at RadixInsight {now}. "
        "If it was not you, ask for a new password now, and tell the owner of your organisation.\n",
    )


def codes_tried(to: str) -> Mail:
    """Tell somebody that whoever tries codes of his second factor has his password."""
    return Mail(
        to,
        "Somebody tries codes of your second factor",
        "Somebody who knows the password of your account at RadixInsight sent several codes today that were wrong. "
        "If it was not you, choose another password now: ask for it where you sign in. "
        "Once too many were wrong, codes of the authenticator are refused for a day wherever you did not sign in "
        "before. A recovery code lets you in all the same, and so does the browser in which you choose the new "
        "password.\n",
    )


def account_deleted(to: str) -> Mail:
    """Tell somebody that his account is gone, in case that it was not him."""
    return Mail(
        to,
        "Your account was deleted",
        "Your account at RadixInsight was deleted, with its memberships and sessions. "
        "If it was not you, tell the owner of your organisation now.\n",
    )
