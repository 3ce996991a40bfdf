"""Builders of facts for tests: a launch that is allowed, to be changed one fact at a time."""

from __future__ import annotations

from gatekeeper.decision.facts import OWN, Executable, Facts, NotTried, Recognised
from gatekeeper.decision.obstacles import Unreachable
from gatekeeper.documents.launch_token import Identity, LaunchChanges, LaunchToken
from gatekeeper.trust.chain import ApprovalKeys, TrustedRoot

NOW = 1_800_000_000
HOUR = 3_600
IDENTITY = Identity(npm="@anthropic-ai/claude-code", versions=">=2.1,<3")
EXECUTABLE = Executable(found="/usr/bin/claude", path="/opt/claude/bin/claude.exe", version="2.1.3")
ROOT = TrustedRoot(
    version=1,
    issuer="https://gk.acme.example",
    issued_at=NOW - HOUR,
    expires_at=NOW + 100 * 24 * HOUR,
    threshold=1,
    roots=(),
    approval=ApprovalKeys(keys=()),
    keys={"approval": [], "gateway": [], "status": [], "policy": [], "log": []},
)
UNREACHABLE = Unreachable(code="GK601", detail="connection refused")


def token(**changes: object) -> LaunchToken:
    """Make a token that was issued a minute ago."""
    made = LaunchToken(
        issuer=ROOT.issuer,
        subject="u_1",
        client_id="gatekeeper-cli",
        jti="t1",
        issued_at=NOW - 60,
        not_before=NOW - 360,
        expires_at=NOW - 60 + 24 * HOUR,
        jkt="k",
        status_index=1,
        status_uri="https://gk.acme.example/status/0",
        tool="claude",
        provider="anthropic",
        identities=(IDENTITY,),
        locations=("*",),
        exclude=(),
        launch=LaunchChanges(),
        confine="",
        grant="G-1",
        grant_ends=NOW + 30 * 24 * HOUR,
        policy="catalogue@1",
        device="d_1",
        name="ada@acme.example",
        fresh_for=900,
    )
    return made.replace(**changes)


def facts(**changes: object) -> Facts:
    """Make the facts of a launch that is allowed without any network."""
    made = Facts(
        word="claude",
        now=NOW,
        high_water=NOW - 60,
        newest_signed_at=NOW - 60,
        state=OWN,
        root=ROOT,
        token=token(),
        executable=EXECUTABLE,
        match=Recognised(identity=IDENTITY),
        exclusion=None,
        renewal=NotTried(),
    )
    return made.replace(**changes)
