"""This workstation as a witness of the service's audit log: heads that were seen, and proofs that the log only grew.

`hear` notes the head that came with a token: no network, nothing that a launch waits for. `check` asks for the
proofs, behind a launch or in `sync`. A log that contradicts what was seen, or whose proof is refused for an hour, is
kept beside it, both signed, and told by `status` (GK506); it never stops a launch. Another origin (a service that was restored says so in its root document)
is another log.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from gatekeeper.client.answers import check_reply, unreadable
from gatekeeper.client.service_errors import ServiceRefused
from gatekeeper.documents.checkpoint import parse_checkpoint, peek_checkpoint
from gatekeeper.errors import GatekeeperError, Malformed, TrustError
from gatekeeper.strict import (
    b64url_decode,
    integer_of,
    objects_of,
    optional_integer,
    optional_text,
    parse_object,
    text_of,
    texts_of,
)
from gatekeeper.trust.chain import envelope_of
from gatekeeper.trust.merkle import verify_consistency
from gatekeeper.trust.root_documents import parse_root_payload
from gatekeeper.values import Absent, Value
from gatekeeper.workstation.state import load_record, save_record

if TYPE_CHECKING:
    from gatekeeper.client.http import Http
    from gatekeeper.documents.checkpoint import Checkpoint
    from gatekeeper.trust.root_documents import RootDocument
    from gatekeeper.workstation.settings import Settings
    from gatekeeper.workstation.world import World

NAME = "witness.json"
PATH = "/v1/audit/proof"
BEHIND_FOR = 3600  # seconds for which a shorter log, or a proof that is refused, may be a slow replica's
_CHECK_WITHIN = 30.0
_MAX_BYTES = 512 * 1024
_MAX_LOGS = 8
_MAX_WAITING = 16
_MAX_CHARS = 8 * 1024


class Fault(Value):
    """A log that contradicts itself: the head that was kept, the one that came, both as signed, and when."""

    at: int
    words: str
    kept: str
    seen: str


class Refused(Value):
    """A head that waits, by its size, and since when the service refuses its proof."""

    size: int
    at: int


class Log(Value):
    """One log as far as it was seen: the head that is proved, heads that wait for a proof, since when it is shorter.

    `refused` are those among the waiting whose proof was refused at least once.
    """

    kept: Checkpoint
    seen_at: int
    waiting: tuple[Checkpoint, ...] = ()
    refused: tuple[Refused, ...] = ()
    behind_at: int | None = None
    fault: Fault | None = None


def hear(world: World, settings: Settings, directory: str, note: str, *, now: int) -> None:
    """Note the hostile head that came with a token. Nothing is raised: a launch must not hang on it."""
    if not note:
        return
    root = _root_of(world, settings, directory)
    if root is None:
        return
    # Reading what was heard (`status`) needs no cryptography.
    from gatekeeper.trust.library import verify_ed25519

    try:
        head = parse_checkpoint(note, origin=root.log_origin, keys=root.log, verify=verify_ed25519)
    except TrustError:
        return  # no key of the log's: no evidence, for or against it
    logs = seen_logs(world, directory)
    known = logs.get(head.origin)
    logs[head.origin] = Log(kept=head, seen_at=now) if known is None else _heard(known, head, now=now)
    _save(world, directory, logs)


def check(world: World, settings: Settings, directory: str, http: Http, *, now: int) -> None:
    """Demand the proof for every head that waits for one. Nothing is raised; what isn't answered waits on.

    One that gets no answer keeps none of the others from being asked for. All together take at most half a minute,
    after which `http` makes no call any more.
    """
    root = _root_of(world, settings, directory)
    logs = seen_logs(world, directory)
    log = logs.get(root.log_origin) if root is not None else None
    if log is None or not log.waiting:
        return
    http.end_within(_CHECK_WITHIN)
    for head in sorted(log.waiting, key=lambda one: one.size):
        try:
            log = _checked(log, head, http, now=now)
        except GatekeeperError:
            continue
    logs[log.kept.origin] = log
    _save(world, directory, logs)


def seen_logs(world: World, directory: str) -> dict[str, Log]:
    """Return what was seen, by origin, the newest log last. What is damaged or unsigned by now counts as unseen."""
    members = load_record(world, f"{directory}/{NAME}", max_bytes=_MAX_BYTES)
    if isinstance(members, Absent):
        return {}
    try:
        logs = [_log_of(item) for item in objects_of(members, "logs")]
    except Malformed:
        return {}
    return {log.kept.origin: log for log in logs}


def _heard(log: Log, head: Checkpoint, *, now: int) -> Log:
    log = log.replace(seen_at=now)
    for other in (log.kept, *log.waiting):
        if other.size == head.size:
            if other.root == head.root:
                return log.replace(behind_at=None) if other is log.kept else log
            return _accuse(log, head, other, "two heads of the same size differ", now=now)
    if head.size < log.kept.size and log.behind_at is None:
        log = log.replace(behind_at=now)
    if len(log.waiting) >= _MAX_WAITING:
        # Those that wait are evidence already: none is dropped for a newer one. Each is proved or accused in the end.
        return log
    return log.replace(waiting=(*log.waiting, head))


def _checked(log: Log, head: Checkpoint, http: Http, *, now: int) -> Log:
    """Return the log after asking about one head. GatekeeperError: no answer that says anything."""
    rest = _without(log, head)
    old, new = sorted((log.kept, head), key=lambda one: one.size)
    proof = _fetch_proof(http, old.size, new.size)
    if proof is None:
        return _refused(log, head, now=now)
    if verify_consistency(old=old.size, new=new.size, old_root=old.root, new_root=new.root, proof=proof):
        if head is new:
            return rest.replace(kept=head, behind_at=None)
        return rest  # a slow replica
    words = f"its {new.size} entries don't begin with the {old.size} that were seen"
    return _accuse(rest, head, log.kept, words, now=now)


def _refused(log: Log, head: Checkpoint, *, now: int) -> Log:
    """Return the log after its service refused the proof of a head that it signed itself.

    For a while that is a replica behind the one that issued. For long, the log was cut off, or forked and hides it:
    the time counts from the first refusal, so that a workstation that was offline accuses nobody.
    """
    if head.size < log.kept.size and log.behind_at is not None and now - log.behind_at > BEHIND_FOR:
        words = f"it has {head.size} entries and had {log.kept.size}"
        return _accuse(_without(log, head), head, log.kept, words, now=now)
    first = next((one.at for one in log.refused if one.size == head.size), None)
    if first is None:
        return log.replace(refused=(*log.refused, Refused(size=head.size, at=now)))
    if now - first <= BEHIND_FOR:
        return log
    old, new = sorted((log.kept.size, head.size))
    words = f"the proof that its {new} entries begin with the {old} that were seen is refused for too long"
    return _accuse(_without(log, head), head, log.kept, words, now=now)


def _without(log: Log, head: Checkpoint) -> Log:
    """Return the log with one head fewer that waits. No two that wait are of one size."""
    return log.replace(
        waiting=tuple(one for one in log.waiting if one.size != head.size),
        refused=tuple(one for one in log.refused if one.size != head.size),
    )


def _accuse(log: Log, head: Checkpoint, other: Checkpoint, words: str, *, now: int) -> Log:
    """Keep both heads; the first contradiction stays the one that is told."""
    fault = log.fault or Fault(at=now, words=words, kept=other.note, seen=head.note)
    return log.replace(fault=fault)


def _fetch_proof(http: Http, old: int, new: int) -> list[bytes] | None:
    """Return the hostile proof, None where the service refuses it: 404 (its log isn't that long), or with a code."""
    reply = http.send("GET", f"{PATH}?since={old}&size={new}", headers={"Accept": "application/json"})
    if reply.status == 404:
        return None
    try:
        check_reply(reply, service=http.service)
    except ServiceRefused:
        return None
    try:
        members = parse_object(reply.body, max_bytes=64 * 1024)
        return [b64url_decode(one) for one in texts_of(members, "proof")]
    except Malformed as error:
        raise unreadable(http.service, error.reason) from error


def _root_of(world: World, settings: Settings, directory: str) -> RootDocument | None:
    """Return the newest root document that the pins prove: it names the log and its keys."""
    from gatekeeper.client.root import kept_root

    kept = kept_root(world, settings, directory)
    if kept is None:
        return None
    try:
        root = parse_root_payload(envelope_of(kept.documents[-1])[0])
    except Malformed:
        return None
    return root if root.log and root.log_origin else None


def _log_of(item: dict[str, object]) -> Log:
    fault = item.get("fault")
    return Log(
        kept=peek_checkpoint(text_of(item, "kept", max_chars=_MAX_CHARS)),
        seen_at=integer_of(item, "seen_at"),
        waiting=tuple(peek_checkpoint(note) for note in texts_of(item, "waiting")),
        refused=tuple(
            Refused(size=integer_of(one, "size"), at=integer_of(one, "at"))
            for one in (objects_of(item, "refused") if "refused" in item else ())
        ),
        behind_at=optional_integer(item, "behind_at"),
        fault=_fault_of(fault) if isinstance(fault, dict) else None,
    )


def _fault_of(item: dict[str, object]) -> Fault:
    return Fault(
        at=integer_of(item, "at"),
        words=text_of(item, "words"),
        kept=optional_text(item, "kept", max_chars=_MAX_CHARS),
        seen=optional_text(item, "seen", max_chars=_MAX_CHARS),
    )


def _save(world: World, directory: str, logs: dict[str, Log]) -> None:
    items = []
    for log in list(logs.values())[-_MAX_LOGS:]:
        item: dict[str, object] = {
            "kept": log.kept.note,
            "seen_at": log.seen_at,
            "waiting": [head.note for head in log.waiting],
        }
        if log.refused:
            item["refused"] = [{"size": one.size, "at": one.at} for one in log.refused]
        if log.behind_at is not None:
            item["behind_at"] = log.behind_at
        if log.fault is not None:
            fault = log.fault
            item["fault"] = {"at": fault.at, "words": fault.words, "kept": fault.kept, "seen": fault.seen}
        items.append(item)
    with suppress(GatekeeperError):  # a disk that is full doesn't stop a launch
        save_record(world, directory, NAME, {"logs": items})
