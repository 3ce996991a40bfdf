"""The auditor's question: what stood when, by whose decision; and that nobody can touch the answer unseen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.service.audit.test_verify import attack, verdict
from tests.service.audit_parts import keep_now
from tests.service.local import LocalService

from gatekeeper.documents.audit_entry import AuditEntry
from gatekeeper.service.audit.evidence import missing_rows
from gatekeeper.service.audit.export import export_lines
from gatekeeper.service.audit.query import find_entries
from gatekeeper.service.audit.report import Asked, rows_of
from gatekeeper.service.operate.audit import read_report, write_report
from gatekeeper.service.operate.erase import erase_subject

DAY = 86_400


def entry(at: int, act: str, *, actor: str = "operator:x", **detail: object) -> AuditEntry:
    """Make an entry about grant G-1."""
    return AuditEntry(
        seq=at + 1,
        at=at,
        actor=actor,
        act=act,
        object="G-1",
        detail=tuple(({"ends_at": 100} | detail).items()),
    )


@pytest.mark.parametrize(
    ("acts", "stood"),
    [
        ([(10, "grant.created")], {10, 50, 99}),
        ([(10, "grant.created"), (40, "grant.revoked")], {10, 39}),
        ([(10, "grant.created"), (40, "grant.suspended"), (60, "grant.resumed")], {10, 39, 60, 99}),
        ([(10, "grant.created"), (10, "grant.waitlisted"), (70, "grant.activated")], {70, 99}),
        ([(10, "grant.waitlisted"), (30, "grant.ended")], set()),
    ],
)
def test_a_grant_is_told_for_the_moments_at_which_it_could_be_used(
    acts: list[tuple[int, str]], stood: set[int]
) -> None:
    """Not before, not after, not while it waited or was suspended."""
    entries = [(index, entry(at, act)) for index, (at, act) in enumerate(acts)]
    moments = {0, 9, 10, 39, 40, 50, 59, 60, 69, 70, 99, 100, 101}
    told = {at for at in moments if rows_of(entries, Asked(start=at, end=at))}
    assert stood <= told
    for at in moments - told:
        assert at not in stood
    assert bool(rows_of(entries, Asked(start=0, end=200))) is bool(stood)
    assert not told & {0, 9, 100, 101}


def filled(local: LocalService) -> LocalService:
    """A grant by the operator's hand, one revoked, and one still asked for."""
    ada = local.workstation()
    local.approve(ada.request().json()["id"])
    bob = local.workstation("bob@acme.example")
    grant = local.approve(bob.request().json()["id"])
    local.now += DAY
    local.revoke(grant)
    ada.request("gemini")
    local.now += DAY
    keep_now(local)
    return local


def test_a_report_holds_and_says_who_decided(local: LocalService, tmp_path: Path) -> None:
    """Pages and evidence say the same; whatever is changed in one of them is found."""
    filled(local)
    out = tmp_path / "report"
    asked = Asked(start=local.now - 2 * DAY, end=local.now)
    write_report(local.store, asked, out, formats=("html", "csv"), now=local.now)
    seen = read_report(out, pins=(local.made.trust_root,))
    assert seen.faults == ()
    assert [(row.grant, row.tool, row.ended, row.policy, row.exceptions) for row in seen.rows] == [
        ("G-1", "claude", "", 1, ("operator's hand",)),
        ("G-2", "claude", "revoked", 1, ("operator's hand",)),
    ]
    page = (out / "report.html").read_text()
    assert "ada@acme.example" in page
    assert "sam@acme.example (operator)" in page
    with local.store.read() as tx:
        assert missing_rows(tx, seen) == []
        assert missing_rows(tx, seen.replace(rows=seen.rows[:1])) == ["G-2"]
    now_only = tmp_path / "now"
    write_report(
        local.store, Asked(start=local.now, end=local.now), now_only, formats=("csv",), now=local.now
    )
    assert [row.grant for row in read_report(now_only, pins=()).rows] == ["G-1"]
    (out / "report.csv").write_text((out / "report.csv").read_text().replace("G-2", "G-3"))
    assert read_report(out, pins=()).faults == ("report.csv doesn't say what follows from the evidence",)


@pytest.mark.parametrize("how", ["leaf", "proof", "checkpoint", "name", "pin", "dropped"])
def test_evidence_that_was_touched_does_not_hold(local: LocalService, tmp_path: Path, how: str) -> None:
    """An entry, its proof, the head, a name, the root key."""
    filled(local)
    out = tmp_path / "report"
    write_report(local.store, Asked(start=0, end=local.now), out, formats=("html",), now=local.now)
    members = json.loads((out / "evidence.json").read_text())
    first = members["entries"][-1]
    if how == "leaf":
        first["leaf"] = first["leaf"].replace('"at":18', '"at":17')
    elif how == "proof":
        first["proof"] = first["proof"][1:]
    elif how == "checkpoint":
        members["checkpoint"] = members["checkpoint"].replace("\n", "\n1", 1)
    elif how == "name":
        next(iter(members["texts"].values()))["text"] = "eve@acme.example"
    elif how == "dropped":
        members["entries"] = members["entries"][:-1]
    (out / "evidence.json").write_text(json.dumps(members))
    assert read_report(out, pins=("A" * 43,) if how == "pin" else ()).faults


def test_the_export_names_what_it_knows_and_has_every_entry(local: LocalService) -> None:
    """Both forms have a line for each leaf; a span of time has its own alone."""
    filled(local)
    with local.store.read() as tx:
        plain = [json.loads(line) for line in export_lines(tx, form="jsonl", start=0, end=2**53)]
        events = [json.loads(line) for line in export_lines(tx, form="ocsf", start=0, end=2**53)]
        some = list(export_lines(tx, form="jsonl", start=local.now - DAY, end=local.now))
    assert [line["index"] for line in plain] == list(range(len(plain)))
    assert len(plain) == len(events)
    assert 0 < len(some) < len(plain)
    assert any(line.get("actor_name") == "operator:sam@acme.example" for line in plain)
    assert all(event["type_uid"] == event["class_uid"] * 100 + event["activity_id"] for event in events)
    revoked = next(event for event in events if event["activity_name"] == "grant.revoked")
    assert (revoked["class_uid"], revoked["activity_id"]) == (3005, 2)


def test_who_is_erased_leaves_no_name_and_a_whole_log(local: LocalService, tmp_path: Path) -> None:
    """The name stands nowhere in the database any more; the log still holds, and says that it was done."""
    filled(local)
    remains = erase_subject(local.store, "sam@acme.example", now=local.now)
    erase_subject(local.store, "ada@acme.example", now=local.now)
    keep_now(local)
    assert verdict(local).faults == ()
    with local.store.read() as tx:
        acts = find_entries(tx, act="subject.erased")
        assert [one.object for one in acts][-1] == remains
        assert not find_entries(tx, actor="sam@acme.example")
        tables = tx.execute(
            text("SELECT name FROM sqlite_master WHERE type = 'table'")
            if tx.dialect.name == "sqlite"
            else text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ).scalars()
        for table in list(tables):
            rows = tx.execute(text(f"SELECT * FROM {table}")).all()  # noqa: S608 - the database's own names
            assert "sam@acme" not in repr(rows), table
            assert "ada@acme" not in repr(rows), table


def test_entries_are_found_by_what_is_asked(local: LocalService) -> None:
    """By actor, act, object and time, a page at a time."""
    filled(local)
    with local.store.read() as tx:
        whole = find_entries(tx, limit=1000)
        assert [one.seq for one in whole] == sorted((one.seq for one in whole), reverse=True)
        assert {one.object for one in find_entries(tx, act="grant.")} == {"G-1", "G-2"}
        assert {one.act for one in find_entries(tx, object="G-2")} == {"grant.created", "grant.revoked"} or (
            "grant.revoked" in {one.act for one in find_entries(tx, object="G-2")}
        )
        assert find_entries(tx, actor="sam@acme.example")[0].actor == "operator:sam@acme.example"
        assert len(find_entries(tx, start=local.now - DAY, end=local.now)) < len(whole)
        assert find_entries(tx, before=whole[0].seq, limit=1) == [whole[1]]


def test_an_attack_after_the_report_shows_against_it(local: LocalService, tmp_path: Path) -> None:
    """The head in a report is one that was kept outside."""
    filled(local)
    out = tmp_path / "report"
    made = write_report(local.store, Asked(start=0, end=local.now), out, formats=("csv",), now=local.now)
    attack(local, "DELETE FROM audit_entries WHERE act = 'grant.revoked'")
    assert any("kept outside" in one for one in verdict(local, outside=[made.note]).faults)
