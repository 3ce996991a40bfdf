"""The signed catalogue of one subject: the tools of the policy in force, and the words of its rules."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from gatekeeper.documents.catalogue import Catalogue, CatalogueTool, render_catalogue
from gatekeeper.service.policy.durations import render_duration
from gatekeeper.service.policy.rules import APPROVED, LAUNCH, GrantFacts, words_of_rules
from gatekeeper.service.policy.stops import whole_stop
from gatekeeper.strict import render_json
from gatekeeper.trust.published import CATALOGUE_TYP
from gatekeeper.trust.sign import sign_token
from gatekeeper.values import Value

if TYPE_CHECKING:
    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.people.subjects import Subject
    from gatekeeper.service.policy.catalogue import Policy, PolicyTool
    from gatekeeper.service.policy.stops import Stop

LASTS_FOR = 24 * 3_600
# A caller keeps its copy while the tag is the same, so the tag must change well before the copy ends.
_TAG_LASTS_FOR = 6 * 3_600


class Offered(Value):
    """A catalogue that isn't signed yet: signing is left out where the caller has it already."""

    claims: Catalogue
    etag: str


def catalogue_for(
    authority: Authority, *, policy: Policy, stops: tuple[Stop, ...], subject: Subject, now: int
) -> Offered:
    """Return the catalogue of `subject`. Its tag covers all that people see, and a quarter of a day.

    `stops` are those in force: a stopped tool is shown with the reason, and versions that are stopped are left out.
    """
    claims = Catalogue(
        issuer=authority.issuer,
        subject=subject.id,
        version=policy.version,
        issued_at=now,
        expires_at=now + LASTS_FOR,
        jti="",
        organisation=policy.organisation,
        help=policy.help,
        tools=tuple(
            _tool(authority, policy, subject, left, now).replace(
                stopped="" if stopped is None else stopped.reason
            )
            for stopped, left in (whole_stop(stops, tool) for tool in policy.tools)
        ),
        rules=words_of_rules(policy),
    )
    timeless = render_catalogue(claims.replace(issued_at=now - now % _TAG_LASTS_FOR, expires_at=0))
    etag = f'"{sha256(render_json(timeless)).hexdigest()[:32]}"'
    return Offered(claims=claims.replace(jti=authority.new_jti()), etag=etag)


def sign_catalogue(authority: Authority, offered: Offered) -> str:
    """Sign it with the policy key."""
    return sign_token(authority.keys.policy[0], typ=CATALOGUE_TYP, claims=render_catalogue(offered.claims))


def _tool(
    authority: Authority, policy: Policy, subject: Subject, tool: PolicyTool, now: int
) -> CatalogueTool:
    return CatalogueTool(
        id=tool.id,
        name=tool.name,
        vendor=tool.vendor,
        vendor_name=tool.vendor_name,
        access=tool.access,
        executables=tool.executables,
        identities=tool.identities,
        alternatives=tool.alternatives,
        zones_refused=tuple(
            zone.name
            for zone in policy.zones
            if not authority.rules.decide(
                policy=policy,
                subject=subject,
                action=LAUNCH,
                tool=tool,
                zone=zone.name,
                grant=GrantFacts(kind=APPROVED, zones=(zone.name,)),
                now=now,
            ).allowed
        ),
        max_duration=render_duration(tool.max_duration_for),
        min_reason=tool.min_reason,
    )
