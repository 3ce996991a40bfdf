"""Who may see what in the console: `[console]` of service.toml names the groups, everything else follows.

Everyone who is signed in is a developer and sees what is their own. Whoever may review something is an approver
as well; that follows from the policy's `reviews`, so it is not configured here a second time. Auditors read,
operators act. Roles only open pages: what may be decided there is asked of policy and reviews again.
"""

from __future__ import annotations

from difflib import get_close_matches
from enum import Enum

from gatekeeper.errors import GatekeeperError
from gatekeeper.values import Value

_GROUP = "group:"
_KEYS = ("auditors", "operators")


class Role(Enum):
    """Whom a page of the console is for."""

    DEVELOPER = "developer"
    APPROVER = "approver"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class ConsoleRoles(Value):
    """The groups (without their prefix) whose members are auditors and operators."""

    auditors: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()


def parse_console(section: object) -> ConsoleRoles:
    """Read `[console]` of service.toml.

    Raises:
        GatekeeperError: GK101, an unknown key, or something else than a list of `group:NAME`.
    """
    if not isinstance(section, dict):
        raise GatekeeperError("GK101", "console: must be a table.", remedy="Write [console] above its keys.")
    for key in section:
        if key not in _KEYS:
            near = get_close_matches(key, _KEYS, n=1)
            raise GatekeeperError(
                "GK101", f"console.{key}: unknown key.", remedy=f"Did you mean {near[0]}?" if near else ""
            )
    return ConsoleRoles(**{key: _groups(key, section.get(key, [])) for key in _KEYS})


def roles_of(roles: ConsoleRoles, groups: tuple[str, ...], *, approves: bool) -> frozenset[Role]:
    """Return the roles of a subject in these groups; `approves` says whether policy lets it review anything."""
    own = {Role.DEVELOPER}
    if approves:
        own.add(Role.APPROVER)
    if set(groups) & set(roles.auditors):
        own.add(Role.AUDITOR)
    if set(groups) & set(roles.operators):
        own.add(Role.OPERATOR)
    return frozenset(own)


def _groups(key: str, value: object) -> tuple[str, ...]:
    named = value if isinstance(value, list) else [None]
    groups = tuple(one.removeprefix(_GROUP) for one in named if isinstance(one, str) and one[6:])
    if len(groups) != len(named) or not all(isinstance(one, str) and one.startswith(_GROUP) for one in named):
        raise GatekeeperError(
            "GK101", f'console.{key}: must be a list of groups, such as ["group:security"].'
        )
    return groups
