"""Draft an `autoApprove` rule from decisions that reviewers made alike, with the cases that it must keep. Pure.

The draft is a proposal that a person reads, changes and puts into the folder; nothing applies it by itself. It
never permits what a reviewer denied among the decisions that it was made from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.policy.replay import Asked
from gatekeeper.values import Value

_MAX_DECISIONS = 200


class Draft(Value):
    """Text for `access.cedar` and text for `expect.toml`."""

    rule: str
    expectations: str


def draft_rule(decisions: Sequence[Asked], *, id: str) -> Draft:  # noqa: A002 - the rule's @id
    """Return a rule that approves what these decisions approved: their tools, their zones, a group of them all.

    Raises:
        GatekeeperError: GK100, there is nothing approved among them, they have no group in common that nobody who
            was denied is in, or a denied one asked for exactly what was approved.
    """
    approved = [one for one in decisions if one.state == "approved"]
    denied = [one for one in decisions if one.state == "denied"]
    if not approved or len(decisions) > _MAX_DECISIONS:
        raise GatekeeperError(
            "GK100", f"A draft needs from 1 to {_MAX_DECISIONS} decisions, one of them approved."
        )
    tools = sorted({one.tool for one in approved})
    zones = sorted({zone for one in approved for zone in one.zones})
    # Whoever asked for something else was denied that, not this.
    against = [one for one in denied if one.tool in tools and set(one.zones) <= set(zones)]
    group = _group(approved, against)
    words = _quoted(f"Reviewers approved {len(approved)} such requests.")
    rule = (
        f"@id({_quoted(id)}) @reason({words})\n"
        f'permit (principal in Group::{_quoted(group)}, action == Action::"autoApprove", resource)\n'
        f"when {{ {_one_of('resource', 'Tool', tools)} && {_one_of('context.zone', 'Zone', zones)} }};\n"
    )
    cases = dict.fromkeys(_case(one, zone, "allow", id) for one in approved for zone in one.zones)
    cases |= dict.fromkeys(_case(one, zone, "refuse", "") for one in against for zone in one.zones)
    stranger = f'[[expect]]\nsubject = {{ id = "nobody@acme.example", groups = [] }}\naction = "autoApprove"\ntool = {_quoted(tools[0])}\n'
    return Draft(
        rule=rule, expectations="\n".join((*cases, stranger + _zone(zones[0]) + 'verdict = "refuse"\n'))
    )


def _group(approved: Sequence[Asked], against: Sequence[Asked]) -> str:
    common = set(approved[0].subject.groups).intersection(*(one.subject.groups for one in approved[1:]))
    fitting = common.difference(*(one.subject.groups for one in against))
    if not fitting:
        what = "that nobody who was denied is in" if common else ""
        raise GatekeeperError(
            "GK100",
            f"The people who were approved have no group in common {what}".rstrip()
            + ". Choose decisions that are alike.",
        )
    return min(fitting)


def _one_of(what: str, kind: str, names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"{what} == {kind}::{_quoted(names[0])}"
    listed = ", ".join(f"{kind}::{_quoted(name)}" for name in names)
    return f"[{listed}].contains({what})"


def _case(asked: Asked, zone: str, verdict: str, rule: str) -> str:
    groups = ", ".join(_quoted(group) for group in asked.subject.groups)
    return (
        f"[[expect]]  # {asked.id}, {asked.state}\n"
        f"subject = {{ id = {_quoted(asked.subject.name)}, groups = [{groups}] }}\n"
        f'action = "autoApprove"\ntool = {_quoted(asked.tool)}\n{_zone(zone)}verdict = "{verdict}"\n'
        + (f"rule = {_quoted(rule)}\n" if rule else "")
    )


def _zone(zone: str) -> str:
    return "" if zone == "none" else f"zone = {_quoted(zone)}\n"


def _quoted(text: str) -> str:
    """Quote a text for Cedar and TOML alike: both take JSON's escapes of quotes and backslashes."""
    return json.dumps(text, ensure_ascii=False)
