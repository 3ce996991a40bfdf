"""One entry of the audit log as a leaf of its tree: canonical JSON (RFC 8785), never longer than 65,535 bytes.

A leaf holds ids, numbers, words of ours and salted hashes; names and free text stand beside the log, where they can
be erased. `parse_audit_entry` reads back exactly what `render_audit_entry` wrote, and nothing else. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from gatekeeper.errors import Malformed
from gatekeeper.strict import b64url_encode, integer_of, object_of, parse_object
from gatekeeper.values import Value

MAX_LEAF_BYTES = 65_535  # what an entry bundle of C2SP tlog-tiles can hold
SALT_BYTES = 16
_VERSION = 1
_MEMBERS = {"v", "seq", "at", "actor", "act", "object", "detail"}


class AuditEntry(Value):
    """Who did what to which object, when. `actor` is a subject's or device's id, `METHOD:<salted hash>` or `service`."""

    seq: int
    at: int
    actor: str
    act: str
    object: str
    detail: tuple[tuple[str, Any], ...]

    def facts(self) -> dict[str, Any]:
        """Return the detail as a dictionary."""
        return dict(self.detail)


def render_audit_entry(entry: AuditEntry) -> bytes:
    """Render the leaf: members sorted, no white space, so that one entry has one spelling.

    Misuse raises: `ValueError` for an entry that no bundle can hold, `TypeError` for what is no JSON type.
    """
    members = {
        "v": _VERSION,
        "seq": entry.seq,
        "at": entry.at,
        "actor": entry.actor,
        "act": entry.act,
        "object": entry.object,
        "detail": dict(entry.detail),
    }
    leaf = json.dumps(
        members, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("utf-8")
    if len(leaf) > MAX_LEAF_BYTES:
        raise ValueError("an audit entry is longer than 65,535 bytes")
    return leaf


def parse_audit_entry(leaf: bytes) -> AuditEntry:
    """Read a hostile leaf.

    Raises:
        Malformed: it is not what `render_audit_entry` writes, to the byte.
    """
    members = parse_object(leaf, max_bytes=MAX_LEAF_BYTES)
    if set(members) != _MEMBERS or members["v"] != _VERSION:
        raise Malformed("an audit entry has other members")
    entry = AuditEntry(
        seq=integer_of(members, "seq"),
        at=integer_of(members, "at"),
        actor=_word(members, "actor"),
        act=_word(members, "act"),
        object=_word(members, "object"),
        detail=tuple(sorted(object_of(members, "detail").items())),
    )
    if render_audit_entry(entry) != leaf:
        raise Malformed("an audit entry is not canonical")
    return entry


def salted_hash(salt: bytes, text: str) -> str:
    """Return what stands in a leaf for a text that can be erased: 43 characters, no use without the salt."""
    return b64url_encode(sha256(b"gatekeeper audit 1\x00" + salt + text.encode("utf-8")).digest())


def _word(members: Mapping[str, object], name: str) -> str:
    value = members[name]
    if not isinstance(value, str) or len(value) > 1024:
        raise Malformed(f"{name} is no text")
    return value
