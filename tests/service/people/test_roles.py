"""`[console]` of service.toml, and the roles that follow."""

from __future__ import annotations

import pytest

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.roles import ConsoleRoles, Role, parse_console, roles_of

ROLES = ConsoleRoles(auditors=("audit",), operators=("platform", "sre"))


def test_groups_are_read() -> None:
    """What isn't named has nobody."""
    read = parse_console({"auditors": ["group:audit"], "operators": ["group:platform", "group:sre"]})
    assert read == ROLES
    assert parse_console({}) == ConsoleRoles()


@pytest.mark.parametrize(
    ("section", "remedy"),
    [
        ({"auditor": ["group:audit"]}, "Did you mean auditors?"),
        ({"auditors": "group:audit"}, ""),
        ({"auditors": ["audit"]}, ""),
        ({"auditors": ["group:"]}, ""),
        ({"operators": [1]}, ""),
        ("group:audit", "Write [console] above its keys."),
    ],
)
def test_what_is_wrong_is_said(section: object, remedy: str) -> None:
    """A misspelt key, a name that isn't a group, another shape: GK101."""
    with pytest.raises(GatekeeperError) as refused:
        parse_console(section)
    assert (refused.value.code, refused.value.remedy) == ("GK101", remedy)


@pytest.mark.parametrize(
    ("groups", "approves", "expected"),
    [
        ((), False, {Role.DEVELOPER}),
        (("audit",), False, {Role.DEVELOPER, Role.AUDITOR}),
        (("sre",), True, {Role.DEVELOPER, Role.APPROVER, Role.OPERATOR}),
        (("group:audit",), False, {Role.DEVELOPER}),
    ],
)
def test_roles_follow_from_groups_and_policy(
    *, groups: tuple[str, ...], approves: bool, expected: set[Role]
) -> None:
    """Everybody is a developer; a group's name is compared whole."""
    assert roles_of(ROLES, groups, approves=approves) == expected
