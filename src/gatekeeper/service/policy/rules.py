"""The policy's rules: one question, one verdict, with the id and the words of the rule that decided.

A closed tool is refused before the rules are asked; an open one counts as granted, so that `forbid` holds for it
as well. What no rule permits is refused, what can't be evaluated is refused, and `forbid` wins. A grant counts in
the zones that it names and nowhere else. Verdicts depend on nothing but the rules, what the identity provider
says of the subject, the tool and the grant's kind; so they are remembered, and people of one team share them.
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Protocol

from gatekeeper.documents.catalogue import CLOSED, OPEN
from gatekeeper.errors import Malformed
from gatekeeper.service.policy.catalogue import Policy, PolicyTool, Rule
from gatekeeper.service.policy.cedar import USER, WORKLOAD, Book, Circumstance, Outcome, Principal, Resource
from gatekeeper.service.policy.rule_reading import book_of, read_rules
from gatekeeper.service.policy.starting import starting_rules
from gatekeeper.service.policy.zones import NO_ZONE, rule_of, words_of
from gatekeeper.values import Value

REQUEST = "request"
AUTO_APPROVE = "autoApprove"
LAUNCH = "launch"
REVIEW = "review"
BREAK_GLASS = "breakGlass"

# The kinds of a grant, as `context.grant.kind` says them.
APPROVED = "approved"
AUTOMATIC = "automatic"
BREAK_GLASS_GRANT = "break-glass"
OPEN_TOOL = "open"

DEFAULT = "policy:default"
ERROR = "policy:error"
DEFAULT_WORDS = "No rule of the organisation's policy permits this."
ERROR_WORDS = "The organisation's policy could not be evaluated for this."
_REMEMBERED = 50_000
# Rules that ask for the time are asked anew each minute.
_MINUTE = 60

_Key = tuple[object, ...]


class PolicySubject(Protocol):
    """What rules may know of a subject (`people` has the class; the two features don't import each other)."""

    @property
    def name(self) -> str:
        """The canonical name, by which rules call a person."""
        ...

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups, as the sign-in, the directory or the invitation gave them."""
        ...

    @property
    def attributes(self) -> tuple[tuple[str, str], ...]:
        """The attributes, likewise."""
        ...

    @property
    def kind(self) -> str:
        """`person` or `workload`."""
        ...


class GrantFacts(Value):
    """What rules may know of an active grant. It counts in the zones that it names alone."""

    kind: str
    zones: tuple[str, ...]


class Verdict(Value):
    """What the rules say: `rule` is the id of the one that decided, `reason` its words ("" where it allowed)."""

    allowed: bool
    rule: str
    reason: str


class Rules(Protocol):
    """Decide whether a subject may do something with a tool in a zone."""

    def decide(
        self,
        *,
        policy: Policy,
        subject: PolicySubject,
        action: str,
        tool: PolicyTool,
        zone: str,
        grant: GrantFacts | None,
        now: int,
    ) -> Verdict:
        """Decide one case. `zone` is "none" outside every zone; `grant` is None without an active one."""
        ...


class CedarRules:
    """The rules of each policy's `access.cedar`, those of a new service where it has none."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._remembered: OrderedDict[_Key, Verdict] = OrderedDict()

    def decide(
        self,
        *,
        policy: Policy,
        subject: PolicySubject,
        action: str,
        tool: PolicyTool,
        zone: str,
        grant: GrantFacts | None,
        now: int,
    ) -> Verdict:
        """Decide as `Rules.decide` says; every failure is a refusal."""
        early = _before_rules(tool, action)
        if early is not None:
            return early
        text = policy.access or starting_rules()
        try:
            book = book_of(text)
        except Malformed:
            return Verdict(allowed=False, rule=ERROR, reason=ERROR_WORDS)
        # What no rule reads makes no difference, so that a team shares its verdicts.
        name = subject.name if book.names_people else ""
        groups = tuple(group for group in subject.groups if group in book.groups)
        attributes = tuple(pair for pair in subject.attributes if pair[0] in book.attributes)
        kind = _kind_of(tool, action, zone, grant)
        at = now - now % _MINUTE if book.asks_time else 0
        key = (
            text,
            (subject.kind, name, groups, attributes),
            (action, tool.id, tool.vendor, tool.access, zone, kind, at),
        )
        with self._lock:
            known = self._remembered.get(key)
            if known is not None:
                self._remembered.move_to_end(key)
                return known
        principal = Principal(
            type=WORKLOAD if subject.kind == "workload" else USER,
            id=name,
            groups=groups,
            attributes=attributes,
        )
        resource = Resource(tool=tool.id, vendor=tool.vendor, access=tool.access)
        verdict = _Case(
            book, text=text, principal=principal, action=action, resource=resource, zone=zone, now=at
        ).verdict(kind)
        with self._lock:
            self._remembered[key] = verdict
            while len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        return verdict


class _Case:
    """One question without the grant, so that it can be asked again as if one stood."""

    def __init__(
        self,
        book: Book,
        *,
        text: str,
        principal: Principal,
        action: str,
        resource: Resource,
        zone: str,
        now: int,
    ) -> None:
        self._book = book
        self._rules = read_rules(text)
        self._principal = principal
        self._action = action
        self._resource = resource
        self._zone = zone
        self._now = now

    def verdict(self, kind: str) -> Verdict:
        """Return the verdict with a grant of that kind, "" for none."""
        outcome = self._ask(kind)
        if outcome.erred:
            return self._refuse(outcome, ERROR, ERROR_WORDS)
        if outcome.allowed:
            return Verdict(allowed=True, rule=self._rules[outcome.deciding[0]].id, reason="")
        if outcome.deciding:
            return self._refuse(outcome, DEFAULT, DEFAULT_WORDS)
        return self._default(kind)

    def _default(self, kind: str) -> Verdict:
        """Say why no rule permits it: what an approval would change, if it would change anything."""
        nothing = (DEFAULT, DEFAULT_WORDS)
        if self._action == LAUNCH and self._zone != NO_ZONE:
            nothing = (rule_of(self._zone), words_of(self._zone))
        if self._action != LAUNCH or kind:
            return Verdict(allowed=False, rule=nothing[0], reason=nothing[1])
        approved = self._ask(APPROVED)
        if approved.erred or not approved.allowed or self._zone != NO_ZONE:
            return self._refuse(approved, *nothing)
        permit = self._rules[approved.deciding[0]]
        return Verdict(allowed=False, rule=permit.id, reason=permit.reason or "This tool needs an approval.")

    def _refuse(self, outcome: Outcome, rule: str, reason: str) -> Verdict:
        """Refuse by the first `forbid` that decided, else in the words given."""
        forbids = (self._rules[position] for position in outcome.deciding)
        decided = next((one for one in forbids if one.effect == "forbid"), None)
        if decided is None:
            return Verdict(allowed=False, rule=rule, reason=reason)
        return Verdict(allowed=False, rule=decided.id, reason=decided.reason or DEFAULT_WORDS)

    def _ask(self, kind: str) -> Outcome:
        return self._book.decide(
            principal=self._principal,
            action=self._action,
            resource=self._resource,
            circumstances=(Circumstance(zone=self._zone, kind=kind),),
            now=self._now,
        )[0]


def words_of_rules(policy: Policy) -> tuple[tuple[str, str], ...]:
    """Return the words of every rule that a refusal may name, as (id, words): zones, the file's own, the default's."""
    return (
        *((rule_of(zone.name), words_of(zone.name)) for zone in policy.zones),
        *((rule.id, rule.reason) for rule in rules_in_force(policy) if rule.reason),
        (DEFAULT, DEFAULT_WORDS),
        (ERROR, ERROR_WORDS),
    )


def rules_in_force(policy: Policy) -> tuple[Rule, ...]:
    """Return the policy's rules; those of a new service where it has no `access.cedar`."""
    return policy.rules or read_rules(policy.access or starting_rules())


def may_auto_approve(policy: Policy) -> bool:
    """Say whether some rule might approve somebody without a reviewer."""
    return any(
        rule.effect == "permit" and (AUTO_APPROVE in actions or not actions)
        for rule in book_of(policy.access or starting_rules()).rules
        for actions in [{name for kind, name in rule.mentions if kind == "Action"}]
    )


def _before_rules(tool: PolicyTool, action: str) -> Verdict | None:
    """Refuse what no rule can permit. A request for a tool that was closed since may still be reviewed (denied)."""
    if tool.access == CLOSED and action != REVIEW:
        return Verdict(
            allowed=False, rule="access:closed", reason="The organisation doesn't offer this tool."
        )
    if tool.access == OPEN and action in {REQUEST, AUTO_APPROVE, BREAK_GLASS}:
        return Verdict(allowed=False, rule="access:open", reason="An open tool needs no request.")
    return None


def _kind_of(tool: PolicyTool, action: str, zone: str, grant: GrantFacts | None) -> str:
    if tool.access == OPEN and action == LAUNCH:
        return OPEN_TOOL
    return grant.kind if grant is not None and zone in grant.zones else ""
