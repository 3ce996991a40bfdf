"""What a page's handler gets: the session's call, the roles of whoever looks, and the policy in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.web.calls import SessionCall

if TYPE_CHECKING:
    from gatekeeper.service.people.roles import Role
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Policy


class PageCall(SessionCall):
    """A call of somebody who is signed in and may open the page. `waiting` counts what their inbox holds."""

    roles: frozenset[Role]
    policy: Policy
    waiting: int = 0

    @property
    def me(self) -> Subject:
        """The person."""
        return self.session.subject

    def has(self, *wanted: Role) -> bool:
        """Say whether the person is in one of these roles."""
        return bool(self.roles & set(wanted))
