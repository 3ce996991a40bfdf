"""The terms of a tool: which text somebody accepted, when, and by which device's signature.

What counts is the text, by its digest: a new text asks everybody again, and going back to an earlier one asks
nobody who accepted that. A workload accepts nothing; for it counts who asked for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select

from gatekeeper.documents.terms import parse_acceptance
from gatekeeper.errors import GatekeeperError, Malformed
from gatekeeper.service.audit import log
from gatekeeper.service.policy.folder import Policy, PolicyTool
from gatekeeper.service.store.tables.access import acceptances
from gatekeeper.trust.statement import TERMS, open_statement

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Terms

_LONGEST_AGE = 3600


def terms_of(policy: Policy, word: str) -> tuple[PolicyTool, Terms]:
    """Return the tool that a hostile `word` names, and its terms.

    Raises:
        GatekeeperError: GK302, there is no such tool; GK409, it has no terms.
    """
    tool = policy.tool(word)
    if tool is None:
        raise GatekeeperError("GK302", "The organisation's catalogue doesn't name this tool.")
    if tool.terms is None:
        raise GatekeeperError("GK409", f"{tool.name} has no terms.")
    return tool, tool.terms


def has_accepted(tx: Connection, *, subject: str, tool: PolicyTool) -> bool:
    """Say whether a subject has accepted the tool's terms as they are today; a tool without terms asks nothing."""
    if tool.terms is None:
        return True
    same = (
        (acceptances.c.subject == subject)
        & (acceptances.c.tool == tool.id)
        & (acceptances.c.sha256 == tool.terms.sha256)
    )
    return tx.execute(select(acceptances.c.accepted_at).where(same)).first() is not None


def accept_signed(
    tx: Connection,
    policy: Policy,
    *,
    subject: Subject,
    device: Device,
    word: str,
    statement: str,
    issuer: str,
    now: int,
) -> PolicyTool:
    """Keep an acceptance that the device signed, which may be hostile; once is enough.

    Raises:
        GatekeeperError: GK302, GK409, as `terms_of`; GK406, it is for another text, person, tool or service, or too
            old; GK604, it isn't signed by this device.
    """
    tool, terms = terms_of(policy, word)
    try:
        key, claims = open_statement(statement, typ=TERMS)
        said = parse_acceptance(claims)
    except Malformed as error:
        raise GatekeeperError("GK604", f"The acceptance can't be read: {error.reason}.") from error
    if key.kid != device.jkt:
        raise GatekeeperError("GK604", "The acceptance is signed by another key than this device's.")
    if (said.issuer, said.subject, said.tool) != (issuer, subject.id, tool.id):
        raise GatekeeperError("GK406", "The acceptance is for another person, tool or service.")
    if abs(now - said.issued_at) > _LONGEST_AGE:
        raise GatekeeperError("GK406", "The acceptance is not of this hour. Is the clock right?")
    if said.sha256 != terms.sha256:
        raise GatekeeperError(
            "GK406",
            f"The terms of {tool.name} have changed. Read version {terms.version}.",
            facts={"tool": tool.id},
        )
    _keep(tx, subject, tool, terms, device=device.id, statement=statement, now=now)
    return tool


def accept_shown(
    tx: Connection, policy: Policy, *, subject: Subject, word: str, sha256: str, now: int
) -> PolicyTool:
    """Keep an acceptance on a page that showed the text of that digest.

    Raises:
        GatekeeperError: GK302, GK409, as `terms_of`; GK406, the terms have changed since they were shown.
    """
    tool, terms = terms_of(policy, word)
    if sha256 != terms.sha256:
        raise GatekeeperError(
            "GK406", f"The terms of {tool.name} have changed. Read version {terms.version}."
        )
    _keep(tx, subject, tool, terms, device="", statement="", now=now)
    return tool


def _keep(
    tx: Connection,
    subject: Subject,
    tool: PolicyTool,
    terms: Terms,
    *,
    device: str,
    statement: str,
    now: int,
) -> None:
    if has_accepted(tx, subject=subject.id, tool=tool):
        return
    tx.execute(
        insert(acceptances).values(
            subject=subject.id,
            tool=tool.id,
            sha256=terms.sha256,
            version=terms.version,
            accepted_at=now,
            device=device,
            statement=statement,
        )
    )
    detail = {"subject": subject.id, "version": terms.version, "sha256": terms.sha256}
    log.record(tx, at=now, actor=device or subject.id, act="terms.accepted", object=tool.id, detail=detail)
