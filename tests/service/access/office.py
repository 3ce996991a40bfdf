"""An office with reviewers, a manager, teams, seats and terms, and its people's acts in a word each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.service.store.parts import DAY, NOW, REASON, new_store

from gatekeeper.documents.api import NewRequest
from gatekeeper.service.access import requests
from gatekeeper.service.access.break_glass import break_glass
from gatekeeper.service.access.grants import Grant, grants_of, revoke_grant, suspend_grant
from gatekeeper.service.access.inbox import InboxItem, inbox_of
from gatekeeper.service.access.requests import AccessRequest, Reviewed
from gatekeeper.service.access.reviews import STEP_UP
from gatekeeper.service.access.seats import Seats, free_seats, seats_of
from gatekeeper.service.access.standing import standing
from gatekeeper.service.audit.log import entries
from gatekeeper.service.notify.outbox import undelivered
from gatekeeper.service.people.subjects import Subject, ensure_subject
from gatekeeper.service.policy.folder import PolicyFiles, apply_policy, current_policy
from gatekeeper.service.policy.starting import starting_rules
from gatekeeper.service.store.transactions import Store

HOUR = 3600
TERMS = "Nothing of a customer goes into a prompt.\n"
CATALOGUE = """
[defaults]
min_reason = 10
reviews = [{ from = ["group:security"], needed = 1 }]
escalate = { after = "8h", to = ["group:duty"] }
[tools.probe]
vendor = "acme"
identity = [{ npm = "probe" }]
[tools.managed]
vendor = "acme"
identity = [{ npm = "managed" }]
reviews = [{ from = ["group:security"], needed = 1 }, { from = ["manager"], needed = 1 }]
[tools.seated]
vendor = "acme"
identity = [{ npm = "seated" }]
seats = 2
unused_after = "21d"
[tools.termed]
vendor = "acme"
identity = [{ npm = "termed" }]
terms = { file = "terms/termed.md", version = 1 }
[zones.frontier]
remotes = ["git.acme.example/frontier/**"]
reviews = [{ from = ["group:safety"], needed = 2 }]
"""
RULES = """
@id("T-1") @reason("The trusted need nobody's review.")
permit (principal in Group::"trusted", action == Action::"autoApprove", resource == Tool::"probe")
when { context.zone == Zone::"none" };
@id("T-2") @reason("Whoever is on call may break the glass.")
permit (principal in Group::"oncall", action == Action::"breakGlass", resource);
@id("T-3") @reason("Contractors ask somebody else.")
forbid (principal in Group::"contractor", action == Action::"request", resource);
@id("T-4") @reason("Trainees don't review.")
forbid (principal in Group::"trainee", action == Action::"review", resource);
"""
FILES = PolicyFiles(catalogue=CATALOGUE, access=starting_rules() + RULES, terms=(("terms/termed.md", TERMS),))


class Office:
    """A store with that policy. `now` moves when a test says so."""

    def __init__(self, folder: Path) -> None:
        self.store: Store = new_store(folder)
        self.now = NOW
        self.apply(FILES)
        self.people: dict[str, Subject] = {}
        for name, groups in (
            ("cleo", ("security",)),
            ("dan", ("security", "safety")),
            ("eve", ("safety",)),
            ("fay", ("duty",)),
            ("ben", ()),
        ):
            self.person(name, *groups)
        self.person("ada", manager="ben@acme.example")

    def apply(self, files: PolicyFiles) -> None:
        """Put another policy in force."""
        with self.store.write() as tx:
            apply_policy(tx, files, by="operator", now=self.now, effective_at=self.now)

    def person(self, name: str, *groups: str, **attributes: str) -> Subject:
        """Make a person, or change what is known of them."""
        with self.store.write() as tx:
            self.people[name] = ensure_subject(
                tx, f"{name}@acme.example", groups=groups, attributes=attributes, now=self.now
            )
        return self.people[name]

    def ask(self, name: str = "ada", tool: str = "probe", **more: Any) -> AccessRequest:
        """Let somebody ask."""
        new = NewRequest(**({"tool": tool, "reason": REASON, "duration": "10d"} | more))
        with self.store.write() as tx:
            policy = current_policy(tx, now=self.now)
            return requests.create_request(
                tx, policy=policy, subject=self.people[name], new=new, idempotency_key="", now=self.now
            )[0]

    def approve(
        self, request: AccessRequest | str, name: str = "cleo", *, method: str = STEP_UP, **narrow: Any
    ) -> Reviewed:
        """Let somebody approve."""
        given = {"duration": "", "zones": None, "reason": "fine"} | narrow
        with self.store.write() as tx:
            return requests.approve_request(
                tx,
                _id(request),
                policy=current_policy(tx, now=self.now),
                reviewer=self.people[name],
                method=method,
                now=self.now,
                **given,
            )

    def deny(
        self, request: AccessRequest | str, name: str = "cleo", *, method: str = STEP_UP
    ) -> AccessRequest:
        """Let somebody deny."""
        with self.store.write() as tx:
            return requests.deny_request(
                tx,
                _id(request),
                policy=current_policy(tx, now=self.now),
                reviewer=self.people[name],
                method=method,
                reason="not now",
                now=self.now,
            )

    def question(
        self, request: AccessRequest | str, name: str = "cleo", text: str = "Which one?"
    ) -> AccessRequest:
        """Let somebody ask back."""
        with self.store.write() as tx:
            return requests.ask_question(
                tx, _id(request), reviewer=self.people[name], method=STEP_UP, text=text, now=self.now
            )

    def reply(
        self, request: AccessRequest | str, name: str = "ada", text: str = "That one."
    ) -> AccessRequest:
        """Let somebody answer."""
        with self.store.write() as tx:
            return requests.reply(tx, _id(request), subject=self.people[name], text=text, now=self.now)

    def cancel(self, request: AccessRequest | str, name: str = "ada") -> AccessRequest:
        """Let somebody take their request back."""
        with self.store.write() as tx:
            return requests.cancel_request(tx, _id(request), subject=self.people[name], now=self.now)

    def granted(self, name: str, tool: str = "seated", **more: Any) -> Grant:
        """Let somebody ask, and the operator approve."""
        self.people.get(name) or self.person(name)
        return self.approve(self.ask(name, tool, **more), method="operator").grants[0]

    def revoke(self, grant: Grant, name: str = "cleo") -> Grant:
        """Let somebody revoke."""
        with self.store.write() as tx:
            return revoke_grant(
                tx, grant.id, by=self.people[name], method=STEP_UP, reason="over", now=self.now
            )

    def suspend(self, grant: Grant, name: str = "cleo") -> Grant:
        """Let somebody suspend."""
        with self.store.write() as tx:
            return suspend_grant(tx, grant.id, by=self.people[name], method=STEP_UP, reason="", now=self.now)

    def emergency(
        self, name: str = "ada", tool: str = "probe", *, method: str = STEP_UP, **more: Any
    ) -> tuple[AccessRequest, Grant]:
        """Let somebody break the glass."""
        new = NewRequest(**({"tool": tool, "reason": REASON} | more))
        with self.store.write() as tx:
            policy = current_policy(tx, now=self.now)
            return break_glass(
                tx, policy=policy, subject=self.people[name], new=new, method=method, now=self.now
            )

    def inbox(self, name: str) -> list[InboxItem]:
        """Look into somebody's inbox."""
        with self.store.read() as tx:
            policy = current_policy(tx, now=self.now)
            return inbox_of(tx, policy=policy, reviewer=self.people[name], now=self.now)

    def stand(self, name: str, tool: str) -> Any:
        """Say where somebody stands."""
        with self.store.read() as tx:
            found = current_policy(tx, now=self.now).tool_of_id(tool)
            assert found is not None
            return standing(tx, self.people[name].id, found, now=self.now)

    def grants(self, name: str) -> list[Grant]:
        """Return somebody's grants."""
        with self.store.read() as tx:
            return grants_of(tx, self.people[name].id, now=self.now)

    def seats(self, tool: str = "seated") -> Seats:
        """Return how the seats stand."""
        with self.store.read() as tx:
            return seats_of(tx, current_policy(tx, now=self.now), tool, now=self.now)

    def sweep(self) -> int:
        """Let time do what it does to seats."""
        with self.store.write() as tx:
            return free_seats(tx, self.now)

    def look(self, request: AccessRequest | str) -> AccessRequest:
        """Read a request."""
        with self.store.read() as tx:
            return requests.get_request(tx, _id(request), now=self.now)

    def acts(self) -> list[tuple[str, str]]:
        """Return what the audit log has: acts and objects."""
        with self.store.read() as tx:
            return [(entry.act, entry.object) for entry in entries(tx)]

    def messages(self) -> list[str]:
        """Return the kinds of the messages that wait."""
        with self.store.read() as tx:
            return [message.kind for message in undelivered(tx, limit=1000)]

    def days(self, number: float) -> None:
        """Let days pass."""
        self.now += int(number * DAY)


def _id(request: AccessRequest | str) -> str:
    return request if isinstance(request, str) else request.id
