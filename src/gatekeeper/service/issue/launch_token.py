"""Launch tokens: what an active grant (or an open tool) becomes for one device, for one lease.

Whether there may be one at all is decided above (`oauth.launch`). Here stand the times, the scope as
patterns, the status entry and the signature. A token never outlives its grant or the root document that
certifies its key, and never says more than the policy's rules allow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.launch_token import CLIENT_ID, TYP, LaunchToken
from gatekeeper.documents.launch_token_rendered import render_launch_token
from gatekeeper.documents.status_list import uri_of
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.issue.authority import root_expires_at
from gatekeeper.service.issue.status_entries import extend_entry, find_entry, take_entry
from gatekeeper.service.policy.compile import compile_locations
from gatekeeper.service.policy.rules import GrantFacts
from gatekeeper.strict import MAX_TOKEN_BYTES, render_json
from gatekeeper.trust.sign import sign_token
from gatekeeper.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from gatekeeper.service.access.grants import Grant
    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Policy, PolicyTool
    from gatekeeper.service.policy.rules import Verdict

NOT_BEFORE_SLACK = 300  # for workstations whose clocks are slow
_SHORTEST_LEASE = 60
# base64url takes a third; header, signature and dots are 256 characters at most.
_MAX_CLAIMS_BYTES = (MAX_TOKEN_BYTES - 256) * 3 // 4


class Issued(Value):
    """A token that was issued."""

    token: str
    tool: str
    expires_at: int


class Standing(Value):
    """What a token rests on: the grant that it names, what rules may know of all that count, and when they end.

    For an open tool there is no grant: 0, none and None.
    """

    grant: int
    grants: tuple[GrantFacts, ...]
    ends_at: int | None


OPEN = Standing(grant=0, grants=(), ends_at=None)


def standing_of(grants: Iterable[Grant]) -> Standing:
    """Merge a subject's active grants for one tool.

    The one that ends last is named in the token. Another counts where it adds a zone, and then the token ends
    with it: the next renewal goes on without that zone.
    """
    ordered = sorted(grants, key=lambda grant: (grant.ends_at, grant.number), reverse=True)
    covered: set[tuple[str, str]] = set()
    counting: list[GrantFacts] = []
    ends_at = ordered[0].ends_at
    for grant in ordered:
        adds = {(grant.kind, zone) for zone in grant.zones}
        if not covered.issuperset(adds):
            covered.update(adds)
            counting.append(GrantFacts(kind=grant.kind, zones=grant.zones))
            ends_at = min(ends_at, grant.ends_at)
    return Standing(grant=ordered[0].number, grants=tuple(counting), ends_at=ends_at)


def issue_launch_token(
    tx: Connection,
    authority: Authority,
    *,
    policy: Policy,
    subject: Subject,
    device: Device,
    tool: PolicyTool,
    standing: Standing,
    lease_for: int | None,
    now: int,
) -> Issued:
    """Sign a launch token, take or extend its status entry, record the issuance.

    `lease_for` is what the caller asked for, None for the policy's own; the policy's `max_lease` caps it.

    Raises:
        GatekeeperError: GK310, the rules allow this nowhere, or their patterns don't fit a token; GK504, the
            service's root document has expired.
    """
    places = compile_locations(
        policy, authority.rules, subject=subject, tool=tool, grants=standing.grants, now=now
    )
    if not places.locations:
        raise refuse_by(places.verdict)
    grant = standing.grant or None
    entry = find_entry(tx, device=device.id, grant=grant, tool=tool.id)
    limits = [now + policy.max_lease_for, root_expires_at(tx, now=now)]
    if standing.ends_at is not None:
        limits.append(standing.ends_at)
    asked_for = policy.lease_for if lease_for is None else max(lease_for, _SHORTEST_LEASE)
    # A renewal keeps a later end already given, as far as all limits still allow.
    expires_at = min(max(now + asked_for, entry.last_exp if entry is not None else 0), *limits)
    if entry is None:
        entry = take_entry(
            tx,
            device=device.id,
            grant=grant,
            tool=tool.id,
            expires_at=expires_at,
            random_bytes=authority.random_bytes,
        )
    else:
        extend_entry(tx, entry, expires_at=expires_at)
    claims = LaunchToken(
        issuer=authority.issuer,
        subject=subject.id,
        client_id=CLIENT_ID,
        jti=authority.new_jti(),
        issued_at=now,
        not_before=now - NOT_BEFORE_SLACK,
        expires_at=expires_at,
        jkt=device.jkt,
        status_index=entry.index,
        status_uri=uri_of(authority.issuer, entry.number),
        tool=tool.id,
        provider=tool.vendor,
        identities=tool.identities,
        locations=places.locations,
        exclude=places.exclude,
        launch=tool.launch,
        confine="",
        grant=f"G-{standing.grant}" if grant else "",
        grant_ends=standing.ends_at,
        policy=f"{places.verdict.rule}@{policy.version}",
        device=device.id,
        name=subject.name,
        fresh_for=policy.fresh_for,
    )
    token = _sign(authority, claims)
    record(
        tx,
        at=now,
        actor=device.id,
        act="launch_token.issued",
        object=claims.grant or tool.id,
        detail={
            "jti": claims.jti,
            "subject": subject.id,
            "tool": tool.id,
            "exp": expires_at,
            "policy": policy.version,
        },
    )
    return Issued(token=token, tool=tool.id, expires_at=expires_at)


def refuse_by(verdict: Verdict) -> GatekeeperError:
    """Return the refusal GK310 in the words of the rule that decided."""
    return GatekeeperError(
        "GK310",
        verdict.reason or "The policy's rules allow this tool nowhere.",
        facts={"rule": verdict.rule, "reason": verdict.reason},
    )


def _sign(authority: Authority, claims: LaunchToken) -> str:
    """Sign, unless no workstation would read it: then the policy is at fault, and the refusal says so."""
    rendered = render_launch_token(claims)
    if len(render_json(rendered)) > _MAX_CLAIMS_BYTES:
        raise GatekeeperError(
            "GK310",
            f"The policy needs {len(claims.locations) + len(claims.exclude)} patterns and "
            f"{len(claims.identities)} identities for {claims.tool}, more than a launch token holds. "
            "Wider patterns in fewer zones fit.",
            facts={"rule": claims.policy, "reason": "The policy doesn't fit a launch token."},
        )
    return sign_token(authority.keys.approval[0], typ=TYP, claims=rendered)
