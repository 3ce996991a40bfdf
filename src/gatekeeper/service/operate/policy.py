"""`service policy …`: try a policy folder against what is stored, apply it, read the versions that were applied.

What a change would do is computed from values (`policy.diff`, `policy.replay`); here they are gathered, and an
application is one transaction: one version, one audit entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.people.subjects import subject_of_row
from gatekeeper.service.policy import folder
from gatekeeper.service.policy.diff import Held, diff
from gatekeeper.service.policy.draft import draft_rule
from gatekeeper.service.policy.expect import failures
from gatekeeper.service.policy.folder import current_policy, files_of_version, policy_of_version
from gatekeeper.service.policy.lint import lint
from gatekeeper.service.policy.replay import Asked, replay
from gatekeeper.service.policy.rules import CedarRules, GrantFacts
from gatekeeper.service.store.tables.access import grants, requests, reviews
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.values import Value

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Policy
    from gatekeeper.service.policy.diff import Diff
    from gatekeeper.service.policy.draft import Draft
    from gatekeeper.service.policy.expect import Failure
    from gatekeeper.service.policy.files import PolicyFiles
    from gatekeeper.service.policy.folder import PolicyVersion
    from gatekeeper.service.policy.lint import Linted
    from gatekeeper.service.policy.replay import Answer
    from gatekeeper.service.store.transactions import Store

OPERATOR = "operator"


class Applied(Value):
    """What an application did: the new version, and from when it is in force."""

    version: int
    effective_at: int


class Shown(Value):
    """One version of the policy with its files."""

    version: int
    files: PolicyFiles


def apply(store: Store, files: PolicyFiles, *, again: bool = False, by: str = OPERATOR, now: int) -> Applied:
    """Apply the files: lint, expectations, one version, one audit entry, or nothing at all.

    It is in force from the date that the catalogue gives, at once without one; `again` says that an earlier version
    is brought back, whose date counts no more.

    Raises:
        GatekeeperError: GK101, lint finds a problem or an expectation isn't met; GK106, the database can't be used.
    """
    dated = None if again else _usable(lint(files, version=1)).effective_at
    at = max(now, dated or now)
    with store.write() as tx:
        version = folder.apply_policy(tx, files, by=by, now=now, effective_at=at)
        detail = {"version": version, "digest": files.digest, "effective_at": at}
        record(tx, at=now, actor=by, act="policy.applied", object="policy", detail=detail)
    return Applied(version=version, effective_at=at)


def show(store: Store, *, version: int | None, now: int) -> Shown:
    """Return a version of the policy, the one in force for None.

    Raises:
        GatekeeperError: GK101, there is no such version; GK106, the database can't be used.
    """
    with store.read() as tx:
        number = current_policy(tx, now=now).version if version is None else version
        return Shown(version=number, files=files_of_version(tx, number))


def list_versions(store: Store) -> list[PolicyVersion]:
    """Return every applied version, the newest first. Raises GK106."""
    with store.read() as tx:
        return folder.versions(tx)


def lint_folder(files: PolicyFiles) -> Linted:
    """Return what is wrong with a folder, whatever stands in it."""
    return lint(files, version=1)


def test_folder(files: PolicyFiles, *, now: int) -> tuple[int, tuple[Failure, ...]]:
    """Return how many expectations a folder has, and those that it doesn't meet.

    Raises:
        GatekeeperError: GK101, lint finds a problem.
    """
    linted = lint(files, version=1)
    policy = _usable(linted)
    return len(linted.expectations), failures(policy, CedarRules(), linted.expectations, now=now)


def diff_folder(store: Store, files: PolicyFiles, *, now: int) -> Diff:
    """Return what a folder would change for the grants and subjects that are stored.

    Raises:
        GatekeeperError: GK101, lint finds a problem; GK106, the database can't be used.
    """
    policy = _usable(lint(files, version=1))
    with store.read() as tx:
        everybody = _everybody(tx)
        held = _held(tx, everybody, now=now)
        at = max(now, policy.effective_at or now)
        old = _in_force(tx, now=now)
        active = [one for one in everybody.values() if one.active]
        return diff(old, policy, CedarRules(), held=held, subjects=active, now=at)


def replay_folder(store: Store, files: PolicyFiles, *, days: int, now: int) -> list[Answer]:
    """Return what a folder would have answered to the requests of the last days, the oldest first.

    Raises:
        GatekeeperError: GK101, lint finds a problem; GK106, the database can't be used.
    """
    policy = _usable(lint(files, version=1))
    with store.read() as tx:
        asked = _asked(tx, requests.c.created_at >= now - days * 86_400)
    return replay(policy, CedarRules(), asked, now=now)


def draft_from(store: Store, request_ids: tuple[str, ...], *, rule_id: str) -> Draft:
    """Return a rule that would approve without a reviewer what was approved in these requests.

    Raises:
        GatekeeperError: GK409, a request isn't there; GK100, as `draft.draft_rule`; GK106, the database can't be used.
    """
    numbers = []
    for id_ in request_ids:
        prefix, _, number = id_.upper().partition("-")
        if prefix != "R" or not (number.isascii() and number.isdecimal() and len(number) <= 10):
            raise GatekeeperError("GK409", f"There is no request {id_}.")
        numbers.append(int(number))
    with store.read() as tx:
        found = _asked(tx, requests.c.number.in_(numbers))
    missing = {f"R-{number}" for number in numbers} - {one.id for one in found}
    if missing:
        raise GatekeeperError("GK409", f"There is no request {min(missing)}.")
    return draft_rule(found, id=rule_id)


def _usable(linted: Linted) -> Policy:
    if linted.problems or linted.policy is None:
        problems = list(linted.problems)
        raise GatekeeperError("GK101", "\n".join(problems), facts={"problems": problems})
    return linted.policy


def _in_force(tx: Connection, *, now: int) -> Policy:
    """Return the policy in force; the newest where none is yet, for a service may wait for its first one's date."""
    try:
        return current_policy(tx, now=now)
    except GatekeeperError:
        known = folder.versions(tx)
        if not known:
            raise
        return policy_of_version(tx, known[0].version)


def _everybody(tx: Connection) -> dict[str, Subject]:
    return {row.id: subject_of_row(row) for row in tx.execute(select(subjects).order_by(subjects.c.name))}


def _held(tx: Connection, everybody: dict[str, Subject], *, now: int) -> list[tuple[Subject, Held]]:
    standing = (grants.c.state == "active") & (grants.c.ends_at > now)
    return [
        (
            everybody[row.subject],
            Held(
                id=f"G-{row.number}",
                tool=row.tool,
                subject=everybody[row.subject].name,
                facts=GrantFacts(kind=row.kind, zones=tuple(row.zones)),
            ),
        )
        for row in tx.execute(select(grants).where(standing).order_by(grants.c.number))
    ]


def _asked(tx: Connection, wanted: ColumnElement[bool]) -> list[Asked]:
    everybody = _everybody(tx)
    last = (
        select(reviews.c.request, func.max(reviews.c.id).label("id")).group_by(reviews.c.request).subquery()
    )
    rows = tx.execute(
        select(requests, reviews.c.reviewer, reviews.c.reason.label("decision_reason"))
        .outerjoin(last, last.c.request == requests.c.number)
        .outerjoin(reviews, reviews.c.id == last.c.id)
        .where(wanted)
        .order_by(requests.c.number)
    )
    return [
        Asked(
            id=f"R-{row.number}",
            subject=everybody[row.subject],
            tool=row.tool,
            zones=tuple(row.zones),
            state=row.state,
            by=everybody[row.reviewer].name if row.reviewer else "",
            reason=row.decision_reason or "",
        )
        for row in rows
    ]
