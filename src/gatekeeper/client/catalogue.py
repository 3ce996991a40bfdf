"""Fetch and keep the signed catalogue: its version never falls, and it is this person's.

Asked again when it is an hour old, with its tag, or when it has ended. What is kept stays kept where the service
can't be reached: it supplies words and names, and decides nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.client.answers import NOT_MODIFIED, unreadable
from gatekeeper.client.root import newer_root
from gatekeeper.documents.catalogue import parse_catalogue
from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import integer_of, optional_text
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.published import peek_kid, policy_keys, verify_catalogue
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.keeping import load_catalogue, save_catalogue
from gatekeeper.workstation.state import load_record, save_record

if TYPE_CHECKING:
    from gatekeeper.client.session import Session
    from gatekeeper.documents.catalogue import Catalogue
    from gatekeeper.trust.chain import TrustedRoot
    from gatekeeper.workstation.world import World

PATH = "/v1/catalogue"
ASK_AFTER = 3600
ASKED = "catalogue-asked.json"
_MAX_ASKED_BYTES = 4096


class _Asked(Value):
    """When the service was last asked, and the tag of what it gave."""

    at: int
    etag: str


def refresh_catalogue(
    session: Session, root: TrustedRoot, *, subject: str, now: int, force: bool = False
) -> Catalogue:
    """Return the current catalogue of `subject`, asking the service where what is kept is an hour old.

    Raises:
        TrustError: GK501, GK502: it doesn't hold or is another person's; GK503, its version fell.
        ServiceRefused, ServiceUnreachable: as `Session.call`.
        GatekeeperError: GK701, GK106, it can't be kept.
    """
    world, directory = session.world, session.directory
    kept = kept_catalogue(world, directory, root, issuer=session.settings.service, subject=subject)
    asked = _load_asked(world, directory)
    current = kept is not None and now < kept.expires_at
    if kept is not None and current and not force and 0 <= now - asked.at < ASK_AFTER:
        return kept
    headers = {"If-None-Match": asked.etag} if current and asked.etag else {}
    reply = session.call("GET", PATH, headers=headers)
    if reply.status == NOT_MODIFIED:
        if kept is None or not headers:
            raise unreadable(session.settings.service, "it says that nothing changed, unasked")
        _save_asked(world, directory, asked.replace(at=now))
        return kept
    token = reply.body.strip()
    if not peek_kid(token):
        raise unreadable(session.settings.service, "its catalogue is no signed document")
    if peek_kid(token) not in {key.kid for key in policy_keys(root).keys}:
        root = newer_root(world, session.settings, session.http, directory, now=now)
    fetched = _verified(token, root, issuer=session.settings.service, subject=subject)
    if kept is not None and fetched.version < kept.version:
        raise TrustError(
            "GK503", f"The service offers catalogue {fetched.version} after {kept.version}, which is newer."
        )
    save_catalogue(world, directory, token)
    _save_asked(world, directory, _Asked(at=now, etag=_usable_tag(reply.headers.get("etag", ""))))
    return fetched


def kept_catalogue(
    world: World, directory: str, root: TrustedRoot, *, issuer: str, subject: str
) -> Catalogue | None:
    """Return the kept catalogue, verified, or None. It may have ended: it still says which version was seen."""
    token = load_catalogue(world, directory)
    if isinstance(token, Absent):
        return None
    try:
        return _verified(token, root, issuer=issuer, subject=subject)
    except TrustError:
        return None


def _verified(token: bytes, root: TrustedRoot, *, issuer: str, subject: str) -> Catalogue:
    verified = verify_catalogue(token, keys=policy_keys(root), issuer=issuer, verify=verify_es256)
    catalogue = parse_catalogue(verified)
    if catalogue.subject != subject:
        raise TrustError("GK502", "The catalogue is another person's.")
    return catalogue


def _load_asked(world: World, directory: str) -> _Asked:
    record = load_record(world, f"{directory}/{ASKED}", max_bytes=_MAX_ASKED_BYTES)
    try:
        if not isinstance(record, Absent):
            return _Asked(at=integer_of(record, "at"), etag=optional_text(record, "etag"))
    except Malformed:
        pass
    return _Asked(at=0, etag="")


def _save_asked(world: World, directory: str, asked: _Asked) -> None:
    save_record(world, directory, ASKED, {"at": asked.at, "etag": asked.etag})


def _usable_tag(etag: str) -> str:
    return etag if etag.isascii() and etag.isprintable() and len(etag) <= 256 else ""
