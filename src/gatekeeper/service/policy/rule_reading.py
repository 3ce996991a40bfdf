"""Reading `access.cedar`: every rule with its id and words, and all that is wrong with the file, line by line.

Two readers: `read_rules` takes what was applied once and only has to be evaluated; `check_rules` is the lint, which
also knows the catalogue, so that a rule about a tool that isn't there is found before it protects nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.policy.catalogue import Policy, Rule
from gatekeeper.service.policy.cedar import ATTRIBUTES, Book, ParsedRule
from gatekeeper.service.policy.reading import is_plain, meant
from gatekeeper.service.policy.rule_text import MAX_RULES, Statement, statements
from gatekeeper.service.policy.zones import NO_ZONE

FILE = "access.cedar"
ACTIONS = ("request", "autoApprove", "launch", "review", "breakGlass")
_ANNOTATIONS = ("id", "reason")
# What gatekeeper itself decides is called so in refusals, and a rule must not pass for it.
_RESERVED = ("zone:", "policy:")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_MAX_REASON_CHARS = 300
_QUOTED = re.compile(r"`([^`]{1,100})`")
_NOTHING_APPLIES = "unable to find an applicable action"
_TYPES = ("User", "Workload", "Group", "Tool", "Vendor", "Zone", "Action")


def read_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of a text that lint has passed.

    Raises:
        GatekeeperError: GK101, this gatekeeper can't read it.
    """
    cut = statements(text)
    try:
        return tuple(
            _rule(rule, statement.line) for rule, statement in zip(book_of(text).rules, cut, strict=True)
        )
    except (Malformed, ValueError) as error:
        raise GatekeeperError("GK101", f"{FILE}: {error}") from error


@lru_cache(maxsize=16)
def book_of(text: str) -> Book:
    """Return the parsed rules of a text. Raises `Malformed`, also for what the engine had better not see."""
    cut = statements(text)
    if len(cut) > MAX_RULES:
        raise Malformed(f"more than {MAX_RULES} rules")
    for statement in cut:
        if statement.fault:
            raise Malformed(f"line {statement.line}: a rule {statement.fault}")
    return Book(text)


def check_rules(text: str, policy: Policy | None) -> list[str]:
    """Return what is wrong with the text, each with file, line and, where there is one, a hint.

    `policy` is the catalogue beside it, None where that can't be read: then names are not looked up.
    """
    cut = statements(text)
    if not cut:
        return [f"{FILE}:1: no rule stands here, so nothing is permitted."]
    if len(cut) > MAX_RULES:
        return [f"{FILE}:{cut[MAX_RULES].line}: more than {MAX_RULES} rules."]
    problems: list[str] = []
    for statement in cut:
        problems += _parse_faults(statement)
    if problems:
        return problems
    book = book_of(text)
    ids: dict[str, int] = {}
    for rule, statement in zip(book.rules, cut, strict=True):
        problems += _annotation_faults(rule, statement, ids)
        if policy is not None:
            problems += _mention_faults(rule, statement, policy)
    faults = book.faults()
    for position, fault in faults:
        # The engine's last resort is said only where it has nothing better to say of the rule.
        if fault.startswith(_NOTHING_APPLIES) and [one for one, _ in faults].count(position) > 1:
            continue
        problem = _validation_fault(fault, cut[position])
        if problem not in problems:
            problems.append(problem)
    return sorted(problems, key=_line_of)


def _line_of(problem: str) -> int:
    return int(problem.split(":")[1])


def _parse_faults(statement: Statement) -> list[str]:
    if statement.fault:
        return [f"{FILE}:{statement.line}: the rule {statement.fault}."]
    try:
        Book(statement.text)
    except Malformed as error:
        word = error.reason.rpartition(": ")[2].strip("`")
        quoted = _QUOTED.search(error.reason)
        line = statement.line_of(quoted[1] if quoted else word)
        if error.reason == "unexpected end of input":
            return [
                f"{FILE}:{line}: the rule that begins here has no end. Does a bracket, a quote or ; lack?"
            ]
        return [f"{FILE}:{line}: not Cedar: {error.reason}."]
    return []


def _annotation_faults(rule: ParsedRule, statement: Statement, ids: dict[str, int]) -> list[str]:
    found: list[str] = []

    def add(what: str, word: str = "") -> None:
        found.append(f"{FILE}:{statement.line_of(word)}: {what}")

    given = dict(rule.annotations)
    for name in given:
        if name not in _ANNOTATIONS:
            add(f"unknown annotation @{name}. {meant(name, _ANNOTATIONS)}".rstrip(), f"@{name}")
    id_ = given.get("id", "")
    if not _ID.fullmatch(id_) or id_.startswith(_RESERVED):
        add('the rule needs an id that people can quote, as @id("AI-01").')
    elif id_ in ids:
        add(f'@id("{id_}") is the rule of line {ids[id_]} already.', "@id")
    ids.setdefault(id_, statement.line)
    reason = given.get("reason", "")
    if rule.effect == "forbid" and not reason.strip():
        add('the rule forbids without words for whoever is refused. Write @reason("…").')
    if len(reason) > _MAX_REASON_CHARS or not is_plain(reason):
        add(
            f"the reason must be one line of at most {_MAX_REASON_CHARS} characters, without control characters.",
            "@reason",
        )
    if rule.is_template:
        add("?principal and ?resource are of no use here: nothing would fill them in.", "?")
    return found


def _mention_faults(rule: ParsedRule, statement: Statement, policy: Policy) -> list[str]:
    known: dict[str, Iterable[str]] = {
        "Tool": [tool.id for tool in policy.tools],
        "Vendor": {tool.vendor for tool in policy.tools},
        "Zone": [NO_ZONE, *(zone.name for zone in policy.zones)],
    }
    found = []
    for kind, name in rule.mentions:
        line = f"{FILE}:{statement.line_of(_literal(name))}"
        if kind in known and name not in known[kind]:
            noun = {"Tool": "tool of the catalogue", "Zone": "zone of the catalogue"}.get(kind, kind.lower())
            what = f'{line}: {kind}::"{name}" is no {noun}. {meant(name, known[kind])}'
            found.append(what.rstrip())
        elif kind in {"User", "Workload", "Group"} and (
            not is_plain(name) or name.strip() != name or not name
        ):
            found.append(f"{line}: {name!r} can't be the name of a {kind.lower()}.")
        elif kind in {"User", "Workload"} and name != name.casefold():
            # Subjects have canonical names; this one would never be anybody's.
            found.append(f"{line}: names are in lower case here. Did you mean {name.casefold()}?")
    return found


def _validation_fault(fault: str, statement: Statement) -> str:
    quoted = _QUOTED.findall(fault)
    word = quoted[0] if quoted else ""
    plain = re.sub(r" on entity type `(User|Workload)`", "", fault)
    plain = re.sub(r" in context for Action::\"\w+\"", "", plain)
    hint = ""
    if plain.startswith("attribute "):
        hint = meant(word, (*ATTRIBUTES, "grant", "zone", "time", "kind", "access"))
    elif plain.startswith("unrecognized entity type"):
        hint = meant(word, _TYPES)
    elif plain.startswith("unable to guarantee safety"):
        hint = f"Ask first whether it is there: … has {word} && …"
    elif plain.startswith("unrecognized action"):
        hint = meant(word.removeprefix('Action::"').rstrip('"'), ACTIONS)
    return f"{FILE}:{statement.line_of(word)}: {plain}. {hint}".rstrip()


def _literal(name: str) -> str:
    return f'"{name}"'


def _rule(rule: ParsedRule, line: int) -> Rule:
    given = dict(rule.annotations)
    return Rule(id=given.get("id", ""), reason=given.get("reason", ""), effect=rule.effect, line=line)
