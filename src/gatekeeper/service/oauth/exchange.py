"""Token exchange (RFC 8693): a CI platform's ID token and the job's own key become a launch token.

The first exchange binds the token's `jti` to the key that was proved; that key may repeat it until the token's
end (GitLab gives one a job), another is refused. What is issued lasts half an hour and has no refresh token:
a job that goes on exchanges again. Without an `audience` the job gets an access token, to read its own state.
Nobody is asked here and nothing waits: a workload needs a grant that people gave it before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import TokenAnswer
from gatekeeper.documents.launch_token import audience_of, scope_of
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth.launch import launch
from gatekeeper.service.oauth.refresh import tool_of
from gatekeeper.service.people.exchanges import bind_token
from gatekeeper.service.people.sessions import ACCESS_FOR, issue_access
from gatekeeper.service.people.workload_tokens import peek, verify_ci_token
from gatekeeper.service.people.workloads import ensure_workload, match_workload
from gatekeeper.service.policy.folder import current_policy
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.people.workload_tokens import CiKey
    from gatekeeper.service.people.workloads import CiIssuer

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name of RFC 8693 §3
_SUBJECT_TYPES = ("urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:jwt")
LEASE_FOR = 30 * 60
# Numbers by which people find the job again; anything else of the token may name what it shouldn't.
_JOB_CLAIMS = ("run_id", "run_attempt", "job_id", "pipeline_id", "repository_id", "project_id")


class Platforms(Value):
    """The configured platforms, and the keys of the one whose token came."""

    issuers: tuple[CiIssuer, ...] = ()
    keys: tuple[CiKey, ...] = ()


class Job(Value):
    """A CI job that proved who it is: its workload's subject, and its key as a device."""

    subject: Subject
    device: Device


NO_PLATFORMS = Platforms()


def check_form(form: Mapping[str, str], *, issuer: str) -> None:
    """Check a hostile form but for its token. Raises `GatekeeperError` GK604."""
    if form.get("subject_token_type") not in _SUBJECT_TYPES:
        raise _malformed("invalid_request", f"subject_token_type must be {_SUBJECT_TYPES[0]}.")
    if form.get("requested_token_type", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise _malformed("invalid_request", f"The only requested_token_type is {ACCESS_TOKEN}.")
    if form.get("actor_token") or form.get("resource"):
        raise _malformed("invalid_request", "actor_token and resource are not taken here.")
    audience, scope = form.get("audience", ""), form.get("scope", "")
    if audience not in ("", audience_of(issuer)):
        raise _malformed("invalid_target", "This service issues nothing for that audience.")
    if scope and not audience:
        raise _malformed("invalid_scope", "A scope comes with its audience.")
    if audience:
        tool_of(scope)


def issue(
    tx: Connection, authority: Authority, form: Mapping[str, str], *, job: Job, now: int
) -> TokenAnswer:
    """Issue to a job what its checked form asks for: a launch token, or without an audience an access token.

    Raises:
        LaunchRefused: GK3xx, GK4xx, with what helps to go on.
    """
    subject, device = job.subject, job.device
    if not form.get("audience"):
        access = issue_access(tx, device=device, now=now)
        return _answer(job, token=access, ends_at=now + ACCESS_FOR, now=now)
    issued = launch(
        tx,
        authority,
        subject=subject,
        device=device,
        word=tool_of(form.get("scope", "")),
        lease_for=min(LEASE_FOR, current_policy(tx, now=now).lease_for),
        now=now,
    )
    answer = _answer(job, token=issued.token, ends_at=issued.expires_at, now=now)
    return answer.replace(scope=scope_of(issued.tool))


def sign_in_job(tx: Connection, token: str, *, platforms: Platforms, jkt: str, now: int) -> Job:
    """Return the job that the hostile `token` is of, bound to the proved key `jkt`.

    Raises:
        TokenReplayed: GK201, another key exchanged the token before.
        GatekeeperError: GK201, it isn't accepted; the words say why.
    """
    seen = peek(token)
    ci = next((one for one in platforms.issuers if one.issuer == seen.issuer), None)
    if ci is None:
        raise GatekeeperError("GK201", "This service takes no tokens of the issuer that the CI token names.")
    claims = verify_ci_token(token, ci=ci, keys=platforms.keys, now=now)
    workload = match_workload(ci, claims.members)
    subject = ensure_workload(tx, workload, now=now)
    if not subject.active:
        raise GatekeeperError("GK201", f"{subject.name} was deactivated.")
    job = {name: str(claims.members[name]) for name in _JOB_CLAIMS if _is_number(claims.members.get(name))}
    device, is_new = bind_token(
        tx,
        subject=subject,
        issuer=ci.issuer,
        jti=claims.jti,
        jkt=jkt,
        name=_device_name(ci, job),
        expires_at=claims.ends_at,
        now=now,
    )
    if is_new:
        detail = {"platform": ci.platform, **job}
        record(tx, at=now, actor=subject.id, act="workload.signed_in", object=device.id, detail=detail)
    return Job(subject=subject, device=device)


def _answer(job: Job, *, token: str, ends_at: int, now: int) -> TokenAnswer:
    return TokenAnswer(
        access_token=token,
        token_type="DPoP",  # noqa: S106 - RFC 9449's word
        issued_token_type=ACCESS_TOKEN,
        expires_in=ends_at - now,
        subject=job.subject.id,
        name=job.subject.name,
        device=job.device.id,
    )


def _is_number(value: object) -> bool:
    return (
        type(value) in (str, int) and str(value).isascii() and str(value).isdecimal() and len(str(value)) < 21
    )


def _device_name(ci: CiIssuer, job: Mapping[str, str]) -> str:
    number = job.get("run_id") or job.get("job_id")
    return f"{ci.platform} job {number}" if number else f"{ci.platform} job"


def _malformed(error: str, detail: str) -> GatekeeperError:
    return GatekeeperError("GK604", detail, facts={"error": error})
