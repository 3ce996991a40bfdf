"""Keep the chain of root documents up to date (TUF specification §5.3): walk N+1 until there is none.

Every step is verified to the pins before the next is fetched, and nothing is saved before the whole holds.
Whether the newest document has expired is not judged here: a fetched one may be, and callers that store
anything on its strength ask `require_current`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.client.answers import check_reply, unreadable
from gatekeeper.client.service_errors import ServiceUnreachable
from gatekeeper.errors import GatekeeperError, Malformed, TrustError
from gatekeeper.strict import parse_object
from gatekeeper.trust.chain import MAX_ROOT_BYTES
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.root_documents import trim_chain, verify_chain
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.keeping import RootState, load_root, save_root

if TYPE_CHECKING:
    from gatekeeper.client.http import Http
    from gatekeeper.trust.chain import TrustedRoot
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World

PATH = "/.well-known/gatekeeper/root"
DAY = 24 * 3600
UNKNOWN_KEY_AGE = 60  # a key that isn't known sends for a newer document, once a minute at most
MAX_STEPS = 1000  # root documents are reissued every few months


class KeptRoot(Value):
    """A chain that holds, and when the service was last asked for a newer one."""

    root: TrustedRoot
    documents: tuple[bytes, ...]
    fetched_at: int


def refresh_root(
    world: World,
    settings: Settings,
    http: Http,
    directory: str,
    *,
    now: int,
    force: bool = False,
    older_than: int = DAY,
) -> TrustedRoot:
    """Return the newest trusted root document, asking the service where what is kept is too old.

    Where the service can't be reached, what is kept is returned as long as it is current and neither `force`
    nor a shorter age asked for more.

    Raises:
        TrustError: GK501, GK502, GK503, GK505: what the service offers doesn't hold. Nothing of it is kept.
        ServiceUnreachable: GK601, GK602, GK603.
        GatekeeperError: GK104, no root key is pinned; GK701, GK106, the chain can't be kept.
    """
    if not settings.trust_roots:
        raise GatekeeperError("GK104", "trust_roots names no root key, so no service can be trusted.")
    kept = kept_root(world, settings, directory)
    if kept is not None and not force and not _is_due(kept, settings, now=now, older_than=older_than):
        return kept.root
    try:
        documents = _first(settings, http) if kept is None else _walk(settings, http, kept.documents)
    except ServiceUnreachable:
        if kept is None or force or older_than < DAY or _must_replace(kept.root, settings, now=now):
            raise
        return kept.root
    root = _verified(settings, documents, min_version=settings.min_root_version)
    trimmed = trim_chain(
        documents, pins=settings.trust_roots, pin_threshold=settings.trust_threshold, verify=verify_es256
    )
    save_root(
        world,
        directory,
        RootState(
            pins=settings.trust_roots,
            threshold=settings.trust_threshold,
            documents=tuple(trimmed),
            fetched_at=now,
        ),
    )
    return root


def newer_root(world: World, settings: Settings, http: Http, directory: str, *, now: int) -> TrustedRoot:
    """Return a current root document for a key that isn't known, asking once a minute at most. Errors as `refresh_root`."""
    root = refresh_root(world, settings, http, directory, now=now, older_than=UNKNOWN_KEY_AGE)
    return require_current(root, now=now)


def kept_root(world: World, settings: Settings, directory: str) -> KeptRoot | None:
    """Return the kept chain as far as today's pins prove it, or None. Its version may be below the least accepted."""
    state = load_root(world, directory)
    if isinstance(state, Absent):
        return None
    try:
        # Pins may have changed since: what they accept now counts, not what the state says it grew from.
        trimmed = trim_chain(
            state.documents,
            pins=settings.trust_roots,
            pin_threshold=settings.trust_threshold,
            verify=verify_es256,
        )
        root = _verified(settings, trimmed, min_version=0)
    except TrustError:
        return None
    return KeptRoot(root=root, documents=tuple(trimmed), fetched_at=state.fetched_at)


def require_current(root: TrustedRoot, *, now: int) -> TrustedRoot:
    """Return the document if it has not expired. TrustError GK504: a list of keys that is frozen proves nothing."""
    if now >= root.expires_at:
        raise TrustError(
            "GK504",
            f"The service's root document {root.version} has expired, or this machine's clock is ahead.",
        )
    return root


def _is_due(kept: KeptRoot, settings: Settings, *, now: int, older_than: int) -> bool:
    age = now - kept.fetched_at
    # A time of fetching in the future comes from a clock that was wrong, so it says nothing.
    return age >= older_than or age < 0 or _must_replace(kept.root, settings, now=now)


def _must_replace(root: TrustedRoot, settings: Settings, *, now: int) -> bool:
    return now >= root.expires_at or root.version < settings.min_root_version


def _walk(settings: Settings, http: Http, documents: tuple[bytes, ...]) -> tuple[bytes, ...]:
    for _ in range(MAX_STEPS):
        version = _verified(settings, documents, min_version=0).version
        following = _fetch(http, str(version + 1))
        if following is None:
            return documents
        documents = (*documents, following)
    raise TrustError("GK501", f"The service offers more than {MAX_STEPS} root documents.")


def _first(settings: Settings, http: Http) -> tuple[bytes, ...]:
    """Return the first chain: the latest document alone, or what grew from the oldest that the pins accept."""
    latest = _fetch(http, "latest")
    if latest is None:
        raise unreadable(http.service, "it has no root document")
    try:
        _verified(settings, (latest,), min_version=0)
    except TrustError as error:
        # The pins may be of an older generation than the latest signers; any other fault is final.
        if error.code != "GK505":
            raise
        return _walk(settings, http, _oldest_accepted(settings, http, error))
    return (latest,)


def _oldest_accepted(settings: Settings, http: Http, fault: TrustError) -> tuple[bytes, ...]:
    for version in range(1, MAX_STEPS):
        document = _fetch(http, str(version))
        if document is None:
            raise fault
        try:
            _verified(settings, (document,), min_version=0)
        except TrustError as error:
            if error.code != "GK505":
                raise
            continue
        return (document,)
    raise fault


def _verified(
    settings: Settings, documents: tuple[bytes, ...] | list[bytes], *, min_version: int
) -> TrustedRoot:
    return verify_chain(
        documents,
        pins=settings.trust_roots,
        pin_threshold=settings.trust_threshold,
        issuer=settings.service,
        min_version=min_version,
        verify=verify_es256,
    )


def _fetch(http: Http, version: str) -> bytes | None:
    """Return one document, unverified, or None where the service has no such version."""
    reply = http.send("GET", f"{PATH}/{version}", headers={"Accept": "application/jose+json"})
    if reply.status == 404:
        return None
    check_reply(reply, service=http.service)
    try:
        parse_object(reply.body, max_bytes=MAX_ROOT_BYTES)
    except Malformed as error:
        # A captive portal's page is no attack on the chain: nobody reached the service.
        raise unreadable(http.service, error.reason) from error
    return reply.body
