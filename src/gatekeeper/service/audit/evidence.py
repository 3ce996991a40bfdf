"""A report with its proofs, as one file that anyone can check offline: `evidence.json`.

It holds the entries that the rows follow from, a proof for each that it stands in the log, the signed head that the
proofs lead to, and the root documents that name the log's key. Names are added for people: those of actors are held
by the salted hashes in the entries, those of subjects are the service's word.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from gatekeeper.documents.audit_entry import parse_audit_entry, render_audit_entry, salted_hash
from gatekeeper.documents.checkpoint import parse_checkpoint, peek_checkpoint
from gatekeeper.errors import GatekeeperError, Malformed, TrustError
from gatekeeper.service.audit.checkpoints import latest_checkpoint
from gatekeeper.service.audit.log import entry_of_row
from gatekeeper.service.audit.names import hash_of_actor, texts_of
from gatekeeper.service.audit.report import Asked, Row, is_relevant, rows_of
from gatekeeper.service.audit.tree import node_of, tree_of
from gatekeeper.service.audit.verify import checked_roots, log_keys
from gatekeeper.service.store.tables.audit import audit_entries
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.service.store.tables.people import subjects
from gatekeeper.strict import b64url_decode, b64url_encode
from gatekeeper.trust.library import verify_ed25519
from gatekeeper.trust.merkle import inclusion_proof, leaf_hash, verify_inclusion
from gatekeeper.values import Value

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.documents.audit_entry import AuditEntry

SCHEMA = 1


class Evidence(Value):
    """What a report was made from, read back. `faults` say what doesn't hold."""

    asked: Asked
    made_at: int
    note: str
    size: int
    rows: tuple[Row, ...]
    names: dict[str, str]  # subject id, or salted hash → name
    root_keys: tuple[str, ...]
    faults: tuple[str, ...]


def relevant_entries(tx: Connection, *, size: int) -> list[tuple[int, AuditEntry]]:
    """Return every entry that a report may follow from, of the first `size` leaves, with its index."""
    last_seq = tree_of(tx).last_seq
    acts = or_(
        audit_entries.c.act.like("grant.%"),
        audit_entries.c.act.like("request.%"),
        audit_entries.c.act.in_(("policy.applied", "service.initialised", "terms.accepted")),
    )
    wanted = select(audit_entries).where(acts, audit_entries.c.seq <= last_seq).order_by(audit_entries.c.seq)
    found = {row.seq: entry_of_row(row) for row in tx.execute(wanted)}
    seqs = select(audit_entries.c.seq).where(audit_entries.c.seq <= last_seq).order_by(audit_entries.c.seq)
    return [
        (index, found[seq])
        for index, seq in enumerate(tx.execute(seqs).scalars())
        if index < size and seq in found and is_relevant(found[seq].act)
    ]


def make_evidence(tx: Connection, asked: Asked, *, now: int) -> bytes:
    """Return `evidence.json` for what is asked, up to the newest signed head.

    Raises:
        GatekeeperError: GK506, the log has no signed head.
    """
    note = (latest_checkpoint(tx) or b"").decode("utf-8")
    if not note:
        raise GatekeeperError("GK506", "The audit log has no signed head yet.")
    size = peek_checkpoint(note).size
    entries = relevant_entries(tx, size=size)
    rows = rows_of(entries, asked)
    needed = sorted({index for row in rows for index in row.leaves})
    by_index, node = dict(entries), node_of(tx)
    texts = texts_of(tx, [hash_of_actor(by_index[index].actor) for index in needed])
    ids = {row.subject for row in rows} | {actor for row in rows for actor in (*row.decided_by, row.ended_by)}
    documents = select(root_documents.c.document).order_by(root_documents.c.version)
    members = {
        "schema": SCHEMA,
        "made_at": now,
        "from": asked.start,
        "to": asked.end,
        "checkpoint": note,
        "roots": [b64url_encode(bytes(one)) for one in tx.execute(documents).scalars()],
        "entries": [
            {
                "index": index,
                "leaf": render_audit_entry(by_index[index]).decode("utf-8"),
                "proof": [b64url_encode(one) for one in inclusion_proof(index, size, node)],
            }
            for index in needed
        ],
        "texts": {
            known: {"salt": b64url_encode(salt), "text": text} for known, (salt, text) in texts.items()
        },
        "subjects": _names(tx, ids),
    }
    return (json.dumps(members, ensure_ascii=True, indent=1, sort_keys=True) + "\n").encode("ascii")


def read_evidence(data: bytes, *, pins: tuple[str, ...] = ()) -> Evidence:
    """Read hostile evidence and check all of it: chain, head, every proof, every name that a hash holds.

    Raises:
        GatekeeperError: GK101, it is no evidence at all.
    """
    faults: list[str] = []
    try:
        members: dict[str, Any] = json.loads(data)
        if members["schema"] != SCHEMA:
            raise GatekeeperError("GK101", "The evidence has another schema.")
        asked = Asked(start=int(members["from"]), end=int(members["to"]))
        documents = [b64url_decode(one) for one in members["roots"]]
        note = str(members["checkpoint"])
        given = [
            (int(one["index"]), one["leaf"].encode(), [b64url_decode(step) for step in one["proof"]])
            for one in members["entries"]
        ]
        entries = [(index, parse_audit_entry(leaf)) for index, leaf, _ in given]
        texts = {
            str(known): (b64url_decode(one["salt"]), str(one["text"]))
            for known, one in members["texts"].items()
        }
        names = {str(subject): str(name) for subject, name in members["subjects"].items()}
        made_at = int(members["made_at"])
        claimed = peek_checkpoint(note)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, Malformed) as error:
        raise GatekeeperError("GK101", f"This is no evidence of a report: {error}.") from error
    roots = checked_roots(documents, pins=pins, faults=faults)
    try:
        keys = log_keys(roots).get(claimed.origin, ())
        parse_checkpoint(note, origin=claimed.origin, keys=keys, verify=verify_ed25519)
    except TrustError as error:
        faults.append(f"the signed head doesn't hold: {error.detail}")
    for index, leaf, proof in given:
        holds = verify_inclusion(
            leaf=leaf_hash(leaf), index=index, size=claimed.size, proof=proof, root=claimed.root
        )
        if not holds:
            faults.append(f"entry {index} is not proved to stand in the log")
    for known, (salt, text) in texts.items():
        if salted_hash(salt, text) != known:
            faults.append(f"the name {text!r} is not the one whose hash the log holds")
    return Evidence(
        asked=asked,
        made_at=made_at,
        note=note,
        size=claimed.size,
        rows=tuple(rows_of(sorted(entries, key=lambda one: one[0]), asked)),
        names={**names, **{known: text for known, (_, text) in texts.items()}},
        root_keys=tuple(key.kid for key in roots[-1].roots),
        faults=tuple(faults),
    )


def missing_rows(tx: Connection, evidence: Evidence) -> list[str]:
    """Return which grants the log holds for the time asked about that the report lacks, or tells otherwise."""
    entries = relevant_entries(tx, size=evidence.size)
    told = {row.grant: row for row in evidence.rows}
    return [row.grant for row in rows_of(entries, evidence.asked) if told.get(row.grant) != row]


def _names(tx: Connection, ids: set[str]) -> dict[str, str]:
    wanted = sorted(ids - {""})
    names: dict[str, str] = {}
    for at in range(0, len(wanted), 500):
        chosen = subjects.c.id.in_(wanted[at : at + 500])
        names.update(
            {row.id: row.name for row in tx.execute(select(subjects.c.id, subjects.c.name).where(chosen))}
        )
    return names
