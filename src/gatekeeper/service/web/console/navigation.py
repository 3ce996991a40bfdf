"""What stands in the side bar, for whom. The table of pages decides who may open them; this only doesn't tempt."""

from __future__ import annotations

from collections.abc import Collection

from gatekeeper.service.people.roles import Role
from gatekeeper.service.web.console.words import listed
from gatekeeper.values import Value

REVIEWERS = (Role.APPROVER, Role.OPERATOR)
READERS = (Role.AUDITOR, Role.OPERATOR)
EVERYONE = (Role.DEVELOPER,)


class Link(Value):
    """An entry: `count` is what waits there."""

    title: str
    path: str
    icon: str
    here: bool = False
    count: int = 0


_ENTRIES: tuple[tuple[str, tuple[tuple[str, str, str, tuple[Role, ...]], ...]], ...] = (
    (
        "Yours",
        (
            ("My approvals", "/approvals", "mine", EVERYONE),
            ("My devices", "/devices", "devices", EVERYONE),
        ),
    ),
    (
        "Decide",
        (
            ("Inbox", "/inbox", "inbox", (Role.APPROVER,)),
            ("Grants", "/grants", "grants", (*REVIEWERS, Role.AUDITOR)),
            ("Tools", "/tools", "tools", (*REVIEWERS, Role.AUDITOR)),
        ),
    ),
    (
        "Oversee",
        (
            ("Overview", "/overview", "overview", READERS),
            ("Coverage", "/coverage", "coverage", READERS),
            ("Audit", "/audit", "audit", READERS),
            ("Policy", "/policy", "policy", (*REVIEWERS, Role.AUDITOR)),
            ("People", "/people", "people", (Role.OPERATOR,)),
        ),
    ),
)


def navigation_for(roles: Collection[Role], *, path: str, waiting: int) -> list[tuple[str, list[Link]]]:
    """Return headings and links for somebody in these roles, who looks at `path`; `waiting` counts their inbox."""
    shown: list[tuple[str, list[Link]]] = []
    for heading, entries in _ENTRIES:
        links = [
            Link(
                title=title,
                path=target,
                icon=icon,
                here=path == target or path.startswith(target + "/"),
                count=waiting if target == "/inbox" else 0,
            )
            for title, target, icon, allowed in entries
            if set(allowed) & set(roles)
        ]
        if links:
            shown.append((heading, links))
    return shown


def role_words(roles: Collection[Role]) -> str:
    """Return the roles in words, the least of them only where it is the only one."""
    named = [role.value for role in Role if role in roles and role is not Role.DEVELOPER]
    return listed(named or [Role.DEVELOPER.value]).capitalize()
