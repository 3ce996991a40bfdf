"""Workloads: the CI jobs that `[[ci]]` of service.toml names, and how a platform's claims are matched to one.

A workload is a subject that is no person. Its name stands in the configuration (`ci:acme/web`), and which jobs
it is, too: by ids that the platform never gives away twice, never by `sub` or a repository's name, which
another may hold tomorrow. Only events that a repository's own members cause are taken; any other event must be named
by the workload, because a fork's code may run in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from difflib import get_close_matches
from urllib.parse import urlsplit

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.names import canonical_name
from gatekeeper.service.people.subjects import WORKLOAD, Subject, ensure_subject
from gatekeeper.values import Value

GITHUB, GITLAB, GENERIC = "github", "gitlab", "generic"
_ISSUERS = {GITHUB: "https://token.actions.githubusercontent.com", GITLAB: "https://gitlab.com"}
_KEYS = ("platform", "issuer", "audience", "jwks", "workloads")
# Claims that say which repository a job belongs to, by an id that outlives its name. One must be given.
_IDS = {
    GITHUB: ("repository_id", "repository_owner_id"),
    GITLAB: ("project_id", "namespace_id"),
}
_FURTHER = {
    GITHUB: (
        "actor_id",
        "environment",
        "event_name",
        "job_workflow_ref",
        "ref",
        "ref_protected",
        "ref_type",
        "runner_environment",
        "workflow_ref",
    ),
    GITLAB: (
        "ci_config_ref_uri",
        "environment",
        "environment_protected",
        "pipeline_source",
        "ref",
        "ref_protected",
        "ref_type",
        "runner_environment",
        "user_id",
    ),
}
# What names a repository, a person or a moment rather than identifying them.
_NEVER = ("sub", "iss", "aud", "exp", "iat", "nbf", "jti", "repository", "project_path", "namespace_path")
_GENERIC_ID = re.compile(r"(^|[^a-z])id$")
# The event of a job, and those events that only members cause, for code of the repository itself. In any other a
# fork's code may run, or a stranger chose the moment and the words. No claim of either platform says so: GitHub names the
# base repository, and GitLab the parent where a member started the pipeline. Platforms add events, so the list is
# of what is taken, never of what is refused.
_EVENT = {GITHUB: "event_name", GITLAB: "pipeline_source"}
_OF_MEMBERS = {
    GITHUB: frozenset(("push", "schedule", "workflow_dispatch", "release")),
    GITLAB: frozenset(("push", "schedule", "web", "api")),
}


class Workload(Value):
    """One workload. `claims` are all that must hold; each lists the values of which one must."""

    id: str
    claims: tuple[tuple[str, tuple[str, ...]], ...]


class CiIssuer(Value):
    """A CI platform whose tokens are exchanged. `jwks` is "" where its keys are found by discovery."""

    platform: str
    issuer: str
    audience: str
    jwks: str
    workloads: tuple[Workload, ...]


def parse_ci(raw: object, *, issuer: str) -> tuple[CiIssuer, ...]:
    """Read `[[ci]]` of service.toml; `issuer` is this service's, the audience where none is given.

    Raises:
        GatekeeperError: GK101, naming the key.
    """
    if not isinstance(raw, list):
        raise _unusable("ci", "write it as [[ci]], once for each platform")
    issuers = tuple(_issuer(table, f"ci[{at}]", issuer=issuer) for at, table in enumerate(raw, 1))
    _refuse_twice("ci.issuer", [one.issuer for one in issuers])
    _refuse_twice("ci.workloads.id", [one.id for ci in issuers for one in ci.workloads])
    return issuers


def find_workload(issuers: tuple[CiIssuer, ...], name: str) -> Workload | None:
    """Return the workload of that name, in whatever spelling. Raises `GatekeeperError` GK100 as `canonical_name`."""
    wanted = canonical_name(name)
    return next((one for ci in issuers for one in ci.workloads if one.id == wanted), None)


def ensure_workload(tx: Connection, workload: Workload, *, now: int) -> Subject:
    """Return the subject of a configured workload, made if there is none. GK100: a person has its name."""
    return ensure_subject(tx, workload.id, kind=WORKLOAD, now=now)


def ensure_workloads(tx: Connection, issuers: tuple[CiIssuer, ...], *, now: int) -> None:
    """Make the subjects of all configured workloads, so that people can ask for them. GK100: a person has a name."""
    for workload in (one for ci in issuers for one in ci.workloads):
        with suppress(IntegrityError), tx.begin_nested():  # another replica that starts now makes the same
            ensure_workload(tx, workload, now=now)


def match_workload(ci: CiIssuer, claims: Mapping[str, object]) -> Workload:
    """Return the one workload that verified `claims` are. Pure.

    Raises:
        GatekeeperError: GK201, none, more than one, or an event that isn't taken unless the workload names it, which it doesn't.
    """
    matching = [
        one for one in ci.workloads if all(_holds(claims, name, allowed) for name, allowed in one.claims)
    ]
    if not matching:
        raise _refused(f"The ids of the {ci.platform} job name no workload of this service.")
    if len(matching) > 1:
        # Which one's grants counted would hang on the order of a file.
        raise _refused(f"The {ci.platform} job matches {len(matching)} workloads: {_listed(matching)}.")
    _check_event(ci, matching[0], claims)
    return matching[0]


def _holds(claims: Mapping[str, object], name: str, allowed: tuple[str, ...]) -> bool:
    value = claims.get(name)
    # Platforms write ids as texts or as numbers; a true or a list is neither.
    text = str(value) if type(value) in (str, int) else None
    return text in allowed


def _check_event(ci: CiIssuer, workload: Workload, claims: Mapping[str, object]) -> None:
    name = _EVENT.get(ci.platform)
    if name is None:
        return
    event = claims.get(name)
    if not isinstance(event, str) or not event:
        raise _refused(f"The token doesn't say which event started the job ({name}).")
    asked_for = next((allowed for claim, allowed in workload.claims if claim == name), ())
    if event not in _OF_MEMBERS[ci.platform] and event not in asked_for:
        raise _refused(
            f"The job was started by {event}, in which a fork's code may run. {workload.id} doesn't name that event."
        )


def _issuer(table: object, where: str, *, issuer: str) -> CiIssuer:
    if not isinstance(table, dict):
        raise _unusable(where, "it must be a table")
    _check_keys(table, where, _KEYS)
    platform = _text(table, where, "platform", "")
    if platform not in (GITHUB, GITLAB, GENERIC):
        raise _unusable(f"{where}.platform", f"it must be {GITHUB}, {GITLAB} or {GENERIC}")
    workloads = table.get("workloads")
    if not isinstance(workloads, list) or not workloads:
        raise _unusable(f"{where}.workloads", "it must list at least one workload")
    jwks = _text(table, where, "jwks", "")
    return CiIssuer(
        platform=platform,
        issuer=_address(_text(table, where, "issuer", _ISSUERS.get(platform, "")), f"{where}.issuer"),
        audience=_text(table, where, "audience", issuer),
        jwks=_address(jwks, f"{where}.jwks") if jwks else "",
        workloads=tuple(
            _workload(one, f"{where}.workloads[{at}]", platform) for at, one in enumerate(workloads, 1)
        ),
    )


def _workload(table: object, where: str, platform: str) -> Workload:
    if not isinstance(table, dict):
        raise _unusable(where, "it must be a table")
    given = {name: value for name, value in table.items() if name != "id"}
    for name in given:
        if name in _NEVER:
            raise _unusable(
                f"{where}.{name}", "a name may be another's tomorrow: match the platform's ids instead"
            )
    if platform != GENERIC:
        _check_keys(table, where, ("id", *_IDS[platform], *_FURTHER[platform]))
    if not any(name in _IDS.get(platform, ()) or _is_generic_id(platform, name) for name in given):
        ids = " or ".join(_IDS.get(platform, ("a claim whose name ends in id",)))
        raise _unusable(where, f"it must say whose jobs these are: {ids}")
    try:
        name = canonical_name(_text(table, where, "id", ""))
    except GatekeeperError as error:
        raise _unusable(f"{where}.id", error.detail.rstrip(".")) from error
    if "@" in name:
        raise _unusable(f"{where}.id", "it reads as a person's mail address")
    claims = tuple(sorted((claim, _values(value, f"{where}.{claim}")) for claim, value in given.items()))
    return Workload(id=name, claims=claims)


def _is_generic_id(platform: str, name: str) -> bool:
    return platform == GENERIC and _GENERIC_ID.search(name.lower()) is not None


def _values(value: object, where: str) -> tuple[str, ...]:
    """Read one value or a list of them. A pattern would be taken for more than it says, so none is offered."""
    values = value if isinstance(value, list) else [value]
    texts = tuple(str(one) for one in values if type(one) in (str, int) and one != "")
    if not texts or len(texts) != len(values):
        raise _unusable(where, "it must be a text or a number, or a list of them")
    if any("*" in text for text in texts):
        raise _unusable(where, "values are compared whole: * matches nothing but itself")
    return texts


def _address(text: str, where: str) -> str:
    """Return an issuer or address exactly as written: it is compared whole, a slash at its end included."""
    parts = urlsplit(text)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.fragment:
        raise _unusable(where, f"{text!r} is no address of https")
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise _unusable(where, f"{text!r} is plain http, which is for this machine alone")
    return text


def _text(table: Mapping[str, object], where: str, name: str, default: str) -> str:
    value = table.get(name, default)
    if not isinstance(value, str) or (not value and name in ("id", "issuer")):
        raise _unusable(f"{where}.{name}", "it must be a text")
    return value


def _check_keys(table: Mapping[str, object], where: str, known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            near = get_close_matches(key, known, n=1)
            remedy = f"Did you mean {near[0]}?" if near else ""
            raise GatekeeperError("GK101", f"{where}.{key}: unknown key.", remedy=remedy)


def _refuse_twice(what: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise _unusable(what, f"{value} stands twice")


def _listed(workloads: list[Workload]) -> str:
    return ", ".join(one.id for one in workloads)


def _refused(detail: str) -> GatekeeperError:
    return GatekeeperError("GK201", detail)


def _unusable(key: str, why: str) -> GatekeeperError:
    return GatekeeperError("GK101", f"{key}: {why}.")
