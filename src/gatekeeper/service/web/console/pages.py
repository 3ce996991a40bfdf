"""The one table of pages: what there is, and which roles open it. The routes and a test of every role on every page are made from it."""

from __future__ import annotations

from gatekeeper.service.people.roles import Role
from gatekeeper.service.web.console import (
    acts,
    audit,
    holdings,
    inbox,
    mine,
    overview,
    own_devices,
    people,
    policy,
)
from gatekeeper.service.web.console.navigation import EVERYONE, READERS, REVIEWERS
from gatekeeper.service.web.console.page import Handler, Page

_LOOKERS = (*REVIEWERS, Role.AUDITOR)
_OPERATORS = (Role.OPERATOR,)


def _page(method: str, path: str, roles: tuple[Role, ...], handler: Handler) -> Page:
    name = f"{getattr(handler, '__module__', '').rpartition('.')[2]}.{getattr(handler, '__name__', '')}"
    return Page(id=name, method=method, path=path, roles=roles, handler=handler)


PAGES: tuple[Page, ...] = (
    _page("GET", "/", EVERYONE, mine.home),
    # One's own. A handler that takes an id checks whose it is.
    _page("GET", "/approvals", EVERYONE, mine.approvals),
    _page("GET", "/approvals/new", EVERYONE, mine.ask_form),
    _page("POST", "/approvals/new", EVERYONE, mine.ask),
    _page("GET", "/requests/{request}", EVERYONE, inbox.look),
    _page("POST", "/requests/{request}/cancel", EVERYONE, mine.cancel),
    _page("POST", "/requests/{request}/reply", EVERYONE, mine.answer),
    _page("GET", "/devices", EVERYONE, own_devices.listing),
    _page("POST", "/devices/{device}/revoke", EVERYONE, own_devices.revoke),
    _page("POST", "/passkeys", EVERYONE, own_devices.begin),
    _page("GET", "/passkeys/{challenge}", EVERYONE, own_devices.show),
    _page("POST", "/passkeys/{challenge}", EVERYONE, own_devices.register),
    _page("POST", "/passkeys/{passkey}/remove", EVERYONE, own_devices.remove),
    # Deciding: who may is asked for each request, for a manager is an approver by nothing but their people.
    _page("GET", "/inbox", EVERYONE, inbox.show),
    _page("POST", "/requests/{request}/question", EVERYONE, inbox.question),
    _page("POST", "/requests/{request}/claim", EVERYONE, inbox.claim),
    _page("POST", "/requests/{request}/release", EVERYONE, inbox.release),
    _page("POST", "/acts", EVERYONE, acts.choose),
    _page("GET", "/acts/{challenge}", EVERYONE, acts.show),
    _page("POST", "/acts/{challenge}", EVERYONE, acts.confirm),
    _page("GET", "/grants", _LOOKERS, holdings.grants),
    _page("GET", "/tools", _LOOKERS, holdings.tools),
    # Overseeing
    _page("GET", "/overview", READERS, overview.show),
    _page("GET", "/overview/{plot}.csv", READERS, overview.numbers),
    _page("GET", "/coverage", READERS, people.coverage),
    _page("GET", "/audit", READERS, audit.show),
    _page("POST", "/audit/verify", READERS, audit.verify),
    _page("GET", "/audit.jsonl", READERS, audit.export),
    _page("GET", "/policy", _LOOKERS, policy.versions),
    _page("GET", "/policy/{version}", _LOOKERS, policy.version),
    _page("GET", "/people", _OPERATORS, people.listing),
    _page("GET", "/people/{name}", _OPERATORS, people.show),
)
