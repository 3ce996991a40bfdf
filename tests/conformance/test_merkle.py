"""Published Merkle proofs, good and broken, against our checks; and the published signed note."""

from __future__ import annotations

from base64 import b64decode
from collections import Counter
from typing import Any

from tests.conformance.published import load_published, names_of

from gatekeeper.documents.checkpoint import key_id
from gatekeeper.trust.library import verify_ed25519
from gatekeeper.trust.merkle import verify_consistency, verify_inclusion
from gatekeeper.trust.root_documents import LogPublicKey, log_thumbprint


def _hashes(case: dict[str, Any]) -> list[bytes]:
    return [b64decode(one) for one in case["proof"] or []]


def test_every_published_inclusion_proof_has_its_outcome() -> None:
    """Good proofs hold, broken ones don't, and there is no third result."""
    outcomes: Counter[tuple[bool, bool]] = Counter()
    for name in names_of("merkle/testdata/inclusion"):
        case = load_published(name)
        holds = verify_inclusion(
            leaf=b64decode(case["leafHash"]),
            index=case["leafIdx"],
            size=case["treeSize"],
            proof=_hashes(case),
            root=b64decode(case["root"]),
        )
        outcomes[case["wantErr"], holds] += 1
        assert holds is not case["wantErr"], name
    assert sum(outcomes.values()) > 90


def test_every_published_consistency_proof_has_its_outcome() -> None:
    """The same; a proof from a tree without leaves is refused, whatever the case says: RFC 9162 defines none."""
    count = 0
    for name in names_of("merkle/testdata/consistency"):
        case = load_published(name)
        holds = verify_consistency(
            old=case["size1"],
            new=case["size2"],
            old_root=b64decode(case["root1"]),
            new_root=b64decode(case["root2"]),
            proof=_hashes(case),
        )
        # One case's roots are words, not hashes ("don't care"): no tree has them.
        hashes = len(b64decode(case["root1"])) == 32
        expected = not case["wantErr"] and case["size1"] > 0 and hashes
        assert holds is expected, name
        count += 1
    assert count > 90


def test_the_published_note_is_signed_by_its_key() -> None:
    """Key id and signature line of the C2SP example are computed as ours are."""
    (case,) = load_published("c2sp/signed-note.json")
    name, _, encoded = case["vkey"].split("+", 2)
    raw = b64decode(encoded)
    key = LogPublicKey(kid=log_thumbprint(raw[1:]), x=raw[1:])
    text, _, line = case["note"].rpartition("\n\n")
    signature = b64decode(line.split(" ")[2])
    assert raw[:1] == b"\x01"
    assert case["vkey"].split("+")[1] == key_id(name, key).hex()
    assert signature[:4] == key_id(name, key)
    assert verify_ed25519(key, text.encode() + b"\n", signature[4:])
    assert not verify_ed25519(key, text.encode(), signature[4:])
