"""What a member may do, by role: one table, read by pages (what isn't allowed isn't offered) and by views."""

from django.db import models


class Role(models.TextChoices):
    OWNER = "OWNER", "Owner"
    ADMIN = "ADMIN", "Admin"
    MARKETER = "MARKETER", "Marketer"
    VIEWER = "VIEWER", "Viewer"


class Ability(models.TextChoices):
    VIEW = "view", "See everything and export"
    RUN_CAMPAIGNS = "run_campaigns", "Create and change campaigns, participants and events"
    ISSUE = "issue", "Issue rewards"
    CONNECT = "connect", "Connect providers"
    INVITE = "invite", "Invite members and change their roles"
    MANAGE_KEYS = "manage_keys", "See, create and revoke API keys"
    CHANGE_SETTINGS = "change_settings", "Change the organization's settings"
    DELETE = "delete", "Delete the organization or hand it over"


_VIEWER = frozenset({Ability.VIEW})
_MARKETER = _VIEWER | {Ability.RUN_CAMPAIGNS, Ability.ISSUE}
_ADMIN = _MARKETER | {Ability.CONNECT, Ability.INVITE, Ability.MANAGE_KEYS, Ability.CHANGE_SETTINGS}
_OWNER = _ADMIN | {Ability.DELETE}

ABILITIES: dict[str, frozenset[Ability]] = {
    Role.VIEWER: _VIEWER,
    Role.MARKETER: _MARKETER,
    Role.ADMIN: _ADMIN,
    Role.OWNER: _OWNER,
}


def may(role: str, ability: Ability) -> bool:
    return ability in ABILITIES[role]


def may_manage(role: str, other: str) -> bool:
    """Whether a member of `role` may give the role `other`, or change or end a membership that has it.

    Only owners touch owners: an admin who could make one would be one.
    """
    return may(role, Ability.INVITE) and (other != Role.OWNER or role == Role.OWNER)
