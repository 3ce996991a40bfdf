"""The token endpoint without its HTTP: one form, one proved key, one transaction, one answer or refusal.

A refusal is returned, not raised: what it leaves behind (the proof's `jti`, the count of a wrong code, the
audit entry of a wrong key) must stand when the work that was refused is rolled back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.launch_token import CLIENT_ID
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.oauth import code, exchange, invite, refresh
from gatekeeper.service.oauth.attempts import count_attempt
from gatekeeper.service.oauth.exchange import NO_PLATFORMS
from gatekeeper.service.oauth.launch import LaunchRefused
from gatekeeper.service.oauth.nonces import remember_proof
from gatekeeper.service.people.exchanges import TokenReplayed
from gatekeeper.service.people.sessions import WrongKey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from gatekeeper.documents.api import TokenAnswer
    from gatekeeper.service.issue.authority import Authority
    from gatekeeper.service.oauth.exchange import Platforms
    from gatekeeper.trust.dpop import Proof

GRANT_TYPES = (code.GRANT_TYPE, invite.GRANT_TYPE, refresh.GRANT_TYPE, exchange.GRANT_TYPE)


def answer(
    tx: Connection,
    authority: Authority,
    form: Mapping[str, str],
    *,
    proof: Proof,
    address: str,
    platforms: Platforms = NO_PLATFORMS,
    now: int,
) -> TokenAnswer | GatekeeperError:
    """Answer a hostile form (RFC 6749 §3.2) from a client at `address` that proved the key of `proof`.

    `platforms` are the CI platforms whose tokens are exchanged, with the keys of the one whose token came.
    Commit the transaction whatever is returned.
    """
    if not remember_proof(tx, jkt=proof.jkt, jti=proof.jti, now=now):
        return replayed()
    try:
        if form.get("grant_type") == exchange.GRANT_TYPE:
            return _exchange(tx, authority, form, platforms=platforms, jkt=proof.jkt, now=now)
        if form.get("grant_type") == code.DEVICE_GRANT_TYPE:
            check_client(form)
            return code.redeem_device(tx, device_code=required(form, "device_code"), jkt=proof.jkt, now=now)
        with tx.begin_nested():
            return _grant(tx, authority, form, jkt=proof.jkt, address=address, now=now)
    except GatekeeperError as refusal:
        _note(tx, refusal, grant_type=form.get("grant_type", ""), address=address, now=now)
        return refusal


def replayed() -> GatekeeperError:
    """Return the refusal of a proof whose `jti` was used (RFC 9449 §11.1)."""
    return GatekeeperError("GK604", "The DPoP proof was used before.", facts={"error": "invalid_dpop_proof"})


def note_wrong_key(tx: Connection, refusal: GatekeeperError, *, token: str, now: int) -> None:
    """Record that a token came with another device's key; any other refusal is not recorded here."""
    if isinstance(refusal, WrongKey):
        record(tx, at=now, actor=refusal.device, act=f"{token}.wrong_key", object=refusal.device, detail={})


def _note(tx: Connection, refusal: GatekeeperError, *, grant_type: str, address: str, now: int) -> None:
    note_wrong_key(tx, refusal, token="refresh", now=now)  # noqa: S106 - the record's word
    if refusal.code in ("GK203", "GK206"):
        count_attempt(tx, address=address, now=now)
    if refusal.code == "GK203":
        what = "invite" if grant_type == invite.GRANT_TYPE else "authorization"
        record(tx, at=now, actor="unknown", act=f"{what}.wrong_code", object="", detail={})
    elif isinstance(refusal, TokenReplayed):
        record(tx, at=now, actor=refusal.subject, act="workload.wrong_key", object=refusal.subject, detail={})
    elif isinstance(refusal, LaunchRefused):
        record(
            tx,
            at=now,
            actor=refusal.device,
            act="launch_token.refused",
            object=refusal.tool or "unknown",
            detail={"code": refusal.code, "ref": refusal.ref, "subject": refusal.subject},
            # A word that the catalogue doesn't have is free text: it can be anything, a name too.
            said={} if refusal.tool else {"word": refusal.word},
            subject=refusal.subject,
        )


def _grant(
    tx: Connection, authority: Authority, form: Mapping[str, str], *, jkt: str, address: str, now: int
) -> TokenAnswer:
    grant_type = required(form, "grant_type")
    if grant_type not in GRANT_TYPES:
        raise GatekeeperError(
            "GK604", "The grant type is none of this service's.", facts={"error": "unsupported_grant_type"}
        )
    check_client(form)
    if grant_type == invite.GRANT_TYPE:
        return invite.redeem(
            tx,
            code=required(form, "code"),
            device_name=required(form, "device_name"),
            jkt=jkt,
            address=address,
            now=now,
        )
    if grant_type == code.GRANT_TYPE:
        return code.redeem(
            tx,
            code=required(form, "code"),
            redirect_uri=required(form, "redirect_uri"),
            verifier=required(form, "code_verifier"),
            jkt=jkt,
            now=now,
        )
    return refresh.renew(tx, authority, form, token=required(form, "refresh_token"), jkt=jkt, now=now)


def _exchange(
    tx: Connection,
    authority: Authority,
    form: Mapping[str, str],
    *,
    platforms: Platforms,
    jkt: str,
    now: int,
) -> TokenAnswer:
    check_client(form)
    exchange.check_form(form, issuer=authority.issuer)
    token = required(form, "subject_token")
    # The binding of token and key stands although no launch token may come of it: else a refused job's token
    # would be free for another key.
    with tx.begin_nested():
        job = exchange.sign_in_job(tx, token, platforms=platforms, jkt=jkt, now=now)
    with tx.begin_nested():
        return exchange.issue(tx, authority, form, job=job, now=now)


def check_client(form: Mapping[str, str]) -> None:
    """Refuse a call that isn't the one public client's (RFC 6749 §3.2.1).

    Raises:
        GatekeeperError: GK604, no `client_id`, or another.
    """
    if required(form, "client_id") != CLIENT_ID:
        raise GatekeeperError("GK604", "The client is not known.", facts={"error": "invalid_client"})


def required(form: Mapping[str, str], name: str) -> str:
    """Return a parameter that must stand in the form. Raises `GatekeeperError` GK604."""
    value = form.get(name, "")
    if not value:
        raise GatekeeperError("GK604", f"{name} is missing.", facts={"error": "invalid_request"})
    return value
