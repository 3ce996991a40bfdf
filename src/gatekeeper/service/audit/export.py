"""The log for other systems: JSON Lines with what the leaf says, or events of OCSF 1.3.

A line has the leaf's index and hash, so that a receiver can check it against the tree; names are added where they are
still known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper import __version__
from gatekeeper.documents.audit_entry import render_audit_entry
from gatekeeper.service.audit.names import hash_of_actor, named_actor, texts_of
from gatekeeper.service.audit.tree import WIDTH, leaves, tree_of
from gatekeeper.strict import b64url_encode, render_json
from gatekeeper.trust.merkle import leaf_hash

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

    from gatekeeper.documents.audit_entry import AuditEntry

JSONL, OCSF = "jsonl", "ocsf"
_IAM = 3  # OCSF's category of identity and access management
_ENTITY, _AUTHENTICATION, _AUTHORIZE, _ACCESS = 3004, 3002, 3003, 3005
_OTHER = 99
# Acts by their first match: class, activity. OCSF 1.3: entity management has 1 create, 2 read, 3 update, 4 delete;
# authentication 1 logon, 2 logoff; authorize session and user access management 1 assign, 2 revoke.
_CLASSES: tuple[tuple[str, int, int], ...] = (
    ("grant.created", _ACCESS, 1),
    ("grant.activated", _ACCESS, 1),
    ("grant.resumed", _ACCESS, 1),
    ("grant.", _ACCESS, 2),
    ("launch_token.", _AUTHORIZE, 1),
    ("device.signed_out", _AUTHENTICATION, 2),
    ("device.enrolled", _AUTHENTICATION, 1),
    ("device.signed_in", _AUTHENTICATION, 1),
    ("invite.wrong_code", _AUTHENTICATION, 1),
    ("request.created", _ENTITY, 1),
    ("invite.created", _ENTITY, 1),
    ("policy.applied", _ENTITY, 3),
)
_NAMES = {
    _ENTITY: "Entity Management",
    _AUTHENTICATION: "Authentication",
    _AUTHORIZE: "Authorize Session",
    _ACCESS: "User Access Management",
}
_FAILED = (".refused", ".wrong_code", ".wrong_key")


def export_lines(tx: Connection, *, form: str, start: int, end: int) -> Iterator[bytes]:
    """Give a line for each leaf whose time is from `start` to before `end`, oldest first."""
    position, size = 0, tree_of(tx).size
    while position < size:
        batch = leaves(tx, start=position, count=WIDTH)
        if not batch:
            return
        position = batch[-1][0] + 1
        chosen = [(index, entry) for index, entry in batch if start <= entry.at < end]
        texts = texts_of(tx, [hash_of_actor(entry.actor) for _, entry in chosen])
        for index, entry in chosen:
            name = named_actor(entry.actor, texts)
            members = _ocsf(index, entry, name) if form == OCSF else _plain(index, entry, name)
            yield render_json(members) + b"\n"


def _plain(index: int, entry: AuditEntry, name: str) -> dict[str, object]:
    leaf = render_audit_entry(entry)
    members: dict[str, object] = {
        "index": index,
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "act": entry.act,
        "object": entry.object,
        "detail": entry.facts(),
        "leaf_hash": b64url_encode(leaf_hash(leaf)),
    }
    return members if name == entry.actor else {**members, "actor_name": name}


def _ocsf(index: int, entry: AuditEntry, name: str) -> dict[str, object]:
    kind, activity = next(
        ((kind, activity) for start, kind, activity in _CLASSES if entry.act.startswith(start)),
        (_ENTITY, _OTHER),
    )
    facts = entry.facts()
    failed = entry.act.endswith(_FAILED)
    subject = str(facts.get("subject", "")) or entry.object
    members: dict[str, object] = {
        "category_uid": _IAM,
        "category_name": "Identity & Access Management",
        "class_uid": kind,
        "class_name": _NAMES[kind],
        "activity_id": activity,
        "activity_name": entry.act,
        "type_uid": kind * 100 + activity,
        "time": entry.at * 1000,
        "severity_id": 2 if failed else 1,
        "status_id": 2 if failed else 1,
        "actor": {"user": {"uid": entry.actor, "name": name}},
        "metadata": {
            "version": "1.3.0",
            "uid": str(index),
            "sequence": entry.seq,
            "log_name": "audit",
            "product": {"name": "gatekeeper", "vendor_name": "gatekeeper", "version": __version__},
        },
        "unmapped": {"object": entry.object, "detail": facts},
    }
    if kind == _ENTITY:
        members["entity"] = {"name": entry.object or entry.act, "type": entry.act.partition(".")[0]}
    else:
        members["user"] = {"uid": subject}
    if kind in (_ACCESS, _AUTHORIZE):
        members["privileges"] = [f"launch:{facts.get('tool', entry.object)}"]
    return members
