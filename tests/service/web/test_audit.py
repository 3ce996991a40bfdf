"""The log over HTTP: what C2SP tlog-tiles asks for, to whom, and nothing for hostile addresses."""

from __future__ import annotations

import pytest
from tests.service.audit.test_tree import note
from tests.service.audit_parts import keep_now
from tests.service.local import LocalService

from gatekeeper.documents.audit_entry import parse_audit_entry
from gatekeeper.strict import b64url_decode
from gatekeeper.trust.merkle import leaf_hash, verify_consistency, verify_inclusion


def test_a_monitor_reads_the_whole_log(local: LocalService) -> None:
    """Checkpoint, tiles, entries and proofs fit together; partial tiles have their width in the path."""
    station = local.workstation()
    early = keep_now(local)
    note(local, 300)
    head = keep_now(local)
    answer = local.send("GET", "/v1/audit/checkpoint")
    assert answer.text == head.note
    assert (
        local.send(
            "GET", "/v1/audit/checkpoint", headers={"if-none-match": answer.headers["etag"]}
        ).status_code
        == 304
    )
    rest = head.size - 256
    hashes = b"".join(
        local.send("GET", f"/v1/audit/tile/0/{name}").content for name in ("000", f"001.p/{rest}")
    )
    leaves: list[bytes] = []
    for name in ("000", f"001.p/{rest}"):
        bundle = station.call("GET", f"/v1/audit/tile/entries/{name}").content
        while bundle:
            size = int.from_bytes(bundle[:2], "big")
            leaves.append(bundle[2 : 2 + size])
            bundle = bundle[2 + size :]
    assert b"".join(map(leaf_hash, leaves)) == hashes
    assert len(local.send("GET", "/v1/audit/tile/1/000.p/1").content) == 32
    assert all(parse_audit_entry(leaf).seq for leaf in leaves)
    given = local.send("GET", "/v1/audit/proof?index=7").json()
    assert verify_inclusion(
        leaf=leaf_hash(leaves[7]),
        index=7,
        size=given["size"],
        proof=[b64url_decode(one) for one in given["proof"]],
        root=head.root,
    )
    given = local.send("GET", f"/v1/audit/proof?since={early.size}&size={head.size}").json()
    assert verify_consistency(
        old=early.size,
        new=head.size,
        old_root=early.root,
        new_root=head.root,
        proof=[b64url_decode(one) for one in given["proof"]],
    )


def test_entries_are_for_devices_and_hashes_for_everybody(local: LocalService) -> None:
    """Ids of people are nothing for the whole internet."""
    keep_now(local)
    assert local.send("GET", "/v1/audit/tile/entries/000.p/1").status_code == 401
    assert local.send("GET", "/v1/audit/tile/0/000.p/1").status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("tile/0/000", 404),  # not full yet
        ("tile/0/001", 404),
        ("tile/0/000.p/0", 404),
        ("tile/0/000.p/256", 404),
        ("tile/0/x000/000.p/1", 404),
        ("tile/0/0.p/1", 404),
        ("tile/64/000.p/1", 404),
        ("tile/-1/000.p/1", 404),
        ("tile/0/" + "x999/" * 9 + "999", 404),
        ("proof", 400),
        ("proof?index=0&since=1", 400),
        ("proof?index=1000000", 400),
        ("proof?index=-1", 400),
        ("proof?since=0", 400),
        ("proof?since=1&size=99999", 404),
        ("proof?index=" + "9" * 4000, 400),
        ("proof?index=٣", 400),
    ],
)
def test_what_there_is_not_is_told(local: LocalService, path: str, status: int) -> None:
    """Every odd address has a plain answer."""
    keep_now(local)
    assert local.send("GET", f"/v1/audit/{path}").status_code == status


def test_a_token_brings_the_newest_head(local: LocalService) -> None:
    """Each token response carries it; none before there is one."""
    station = local.workstation()
    assert "checkpoint" not in station.renew().json()
    local.now += 1
    head = keep_now(local)
    assert station.renew().json()["checkpoint"] == head.note
    station.request()
    local.now += 1
    later = keep_now(local)
    assert later.size > head.size
    assert station.renew().json()["checkpoint"] == later.note
