"""Cedar: the text of `access.cedar` parsed, validated and evaluated. The only importer of cedarpy.

Nothing here knows the catalogue: a question is plain words, an answer says which rules decided, by their position.
Two traits of the engine shape this module. A rule whose evaluation errs is skipped, so an erring `forbid` would
allow: any error refuses. And its parser recurses on the machine's stack: a rule of a thousand brackets ends the
process, so text is measured (`rule_text`) before the engine sees it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

import cedarpy

from gatekeeper.errors import Malformed
from gatekeeper.values import Value

USER = "User"
WORKLOAD = "Workload"
_BOOLEANS = {"device_managed"}
_TEXTS = {"country", "department", "employment", "manager"}
ATTRIBUTES = (*sorted(_BOOLEANS | _TEXTS),)
_TRUTH = {"true": True, "false": False}

YES = "yes"
NO = "no"
MAYBE = "maybe"
_NOT = {YES: NO, NO: YES, MAYBE: MAYBE}


class Principal(Value):
    """Who asks: a person or a workload, with the attributes that the schema knows."""

    type: str
    id: str
    groups: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]


class Resource(Value):
    """A tool, its vendor's id and its access class."""

    tool: str
    vendor: str
    access: str


class Circumstance(Value):
    """In which zone, and with a grant of which kind ("" is none)."""

    zone: str
    kind: str


class Outcome(Value):
    """What the rules said: the positions of those that decided, and whether evaluating any of them failed."""

    allowed: bool
    deciding: tuple[int, ...]
    erred: bool


class ParsedRule(Value):
    """What can be read off a rule: the entities that it names, as (type, id), and the attributes that it reads."""

    effect: str
    annotations: tuple[tuple[str, str], ...]
    mentions: tuple[tuple[str, str], ...]
    attributes: tuple[str, ...]
    is_template: bool
    asks_time: bool


class Book:
    """A set of rules, parsed once."""

    def __init__(self, text: str) -> None:
        """Parse the text of rules, which has been measured.

        Raises:
            Malformed: it isn't Cedar; the reason is the parser's.
        """
        try:
            parsed = json.loads(cedarpy.policies_to_json_str(text))
            self._set = cedarpy.PolicySet.from_str(text)
        except ValueError as error:
            raise Malformed(str(error).removeprefix("Policy parse error: ")) from error
        templates = parsed["templates"]
        found = {_position(name): (rule, name in templates) for name, rule in _both(parsed)}
        self._text = text
        self.rules = tuple(_parsed(*found[position]) for position in sorted(found))
        self.names_people = any(kind in {USER, WORKLOAD} for one in self.rules for kind, _ in one.mentions)
        self.asks_time = any(one.asks_time for one in self.rules)
        # All that can make a difference to a verdict: whoever is alike in these is answered alike.
        self.groups = frozenset(name for one in self.rules for kind, name in one.mentions if kind == "Group")
        self.attributes = frozenset(name for one in self.rules for name in one.attributes)

    def faults(self) -> list[tuple[int, str]]:
        """Return what strict validation finds, as (position, words)."""
        result = cedarpy.validate_policies(self._text, _schema())
        if result.validation_passed:
            return []
        return [(_position(fault.policy_id), _without_id(fault.error)) for fault in result.errors]

    def decide(
        self,
        *,
        principal: Principal,
        action: str,
        resource: Resource,
        circumstances: tuple[Circumstance, ...],
        now: int,
    ) -> list[Outcome]:
        """Answer one question in several circumstances, in their order."""
        entities = cedarpy.Entities.from_json_str(
            json.dumps([_principal(principal), *_resource(resource)]), _schema()
        )
        questions: list[dict[str, Any]] = [
            {
                "principal": {"type": principal.type, "id": principal.id},
                "action": {"type": "Action", "id": action},
                "resource": {"type": "Tool", "id": resource.tool},
                "context": _context(one, _instant(now)),
            }
            for one in circumstances
        ]
        answers = cedarpy.is_authorized_batch(questions, self._set, entities, _schema())
        return [_outcome(answer) for answer in answers]

    def effects(self, *, action: str, resource: Resource, circumstance: Circumstance) -> tuple[str, ...]:
        """Return for each rule whether it applies whoever asks and whenever: YES, NO, or MAYBE."""
        entities = cedarpy.Entities.from_json_str(json.dumps(_resource(resource)), _schema())
        answer = cedarpy.is_authorized_partial(
            {
                # As texts: an action and a tool's id hold no quotes.
                "action": f'Action::"{action}"',
                "resource": f'Tool::"{resource.tool}"',
                # Without the schema, for that doesn't take an unknown instant.
                "context": _context(circumstance, {"__extn": {"fn": "unknown", "arg": "time"}}),
            },
            self._set,
            entities,
        )
        residuals = {_position(name): rule["conditions"] for name, rule in answer.residuals.items()}
        return tuple(_applies(residuals.get(position)) for position in range(len(self.rules)))


@cache
def _schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(
        (resources.files("gatekeeper.service.policy") / "access.cedarschema").read_text("utf-8")
    )


def _both(parsed: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    return [*parsed["staticPolicies"].items(), *parsed["templates"].items()]


def _position(name: str) -> int:
    """Return the position of a rule that the engine calls `policy7`; -1 for what is no rule of the text."""
    number = name.removeprefix("policy")
    return int(number) if number.isdecimal() else -1


def _without_id(fault: str) -> str:
    head, comma, tail = fault.partition(", ")
    return tail if comma and head.startswith("for policy ") else fault


def _parsed(rule: dict[str, Any], is_template: bool) -> ParsedRule:  # noqa: FBT001 - as found
    mentions: list[tuple[str, str]] = []
    attributes: list[str] = []
    asks_time = _walk(rule, mentions, attributes)
    return ParsedRule(
        effect=rule["effect"],
        annotations=tuple((key, value or "") for key, value in rule.get("annotations", {}).items()),
        mentions=tuple(dict.fromkeys(mentions)),
        attributes=tuple(dict.fromkeys(attributes)),
        is_template=is_template,
        asks_time=asks_time,
    )


def _walk(rule: object, mentions: list[tuple[str, str]], attributes: list[str]) -> bool:
    """Note the entities that a rule names and the attributes that it reads; return whether it reads the time.

    Without recursion: rules nest deep.
    """
    waiting, asks_time = [rule], False
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            kind, name = node.get("type"), node.get("id")
            if isinstance(kind, str) and isinstance(name, str) and len(node) == 2:
                mentions.append((kind, name))
                continue
            attribute = node.get("attr")
            if isinstance(attribute, str):
                attributes.append(attribute)
                if node.get("left") == {"Var": "context"}:
                    asks_time = asks_time or attribute == "time"
                    continue
            # The context as a whole (`context == …`) holds the time.
            asks_time = asks_time or node == {"Var": "context"}
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
    return asks_time


def _principal(principal: Principal) -> dict[str, object]:
    attributes: dict[str, object] = {}
    for key, value in principal.attributes:
        if key in _TEXTS:
            attributes[key] = value
        elif key in _BOOLEANS and value.casefold() in _TRUTH:
            attributes[key] = _TRUTH[value.casefold()]
    return {
        "uid": {"type": principal.type, "id": principal.id},
        "attrs": attributes,
        "parents": [{"type": "Group", "id": group} for group in principal.groups],
    }


def _resource(resource: Resource) -> list[dict[str, object]]:
    vendor = {"type": "Vendor", "id": resource.vendor}
    tool = {"type": "Tool", "id": resource.tool}
    return [
        {"uid": tool, "attrs": {"access": resource.access}, "parents": [vendor]},
        {"uid": vendor, "attrs": {}, "parents": []},
    ]


def _context(circumstance: Circumstance, time: dict[str, object]) -> dict[str, object]:
    context: dict[str, object] = {
        "zone": {"__entity": {"type": "Zone", "id": circumstance.zone}},
        "time": time,
    }
    if circumstance.kind:
        context["grant"] = {"kind": circumstance.kind}
    return context


def _instant(now: int) -> dict[str, object]:
    at = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"__extn": {"fn": "datetime", "arg": at}}


def _outcome(answer: cedarpy.AuthzResult) -> Outcome:
    return Outcome(
        allowed=answer.allowed,
        deciding=tuple(sorted(_position(name) for name in answer.diagnostics.reasons)),
        erred=bool(answer.diagnostics.errors),
    )


def _applies(conditions: list[dict[str, Any]] | None) -> str:
    """Return whether what is left of a rule can hold. A rule that isn't left at all can't."""
    if conditions is None:
        return NO
    truths = {
        _NOT[_truth(one["body"])] if one["kind"] == "unless" else _truth(one["body"]) for one in conditions
    }
    return NO if NO in truths else MAYBE if MAYBE in truths else YES


def _truth(node: dict[str, Any]) -> str:
    """Return the truth of an expression as far as it is known: `unknown && false` is no."""
    if "Value" in node:
        return YES if node["Value"] is True else NO if node["Value"] is False else MAYBE
    if "!" in node:
        return _NOT[_truth(node["!"]["arg"])]
    for operator, decisive in (("&&", NO), ("||", YES)):
        if operator in node:
            sides = {_truth(node[operator]["left"]), _truth(node[operator]["right"])}
            return decisive if decisive in sides else MAYBE if MAYBE in sides else sides.pop()
    return MAYBE
