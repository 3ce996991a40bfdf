"""Every page for every role, and what holds for all of them: headers, escaping, forms, files."""

from __future__ import annotations

import re
import time

import pytest
from tests.service.local import ISSUER, LocalService
from tests.service.web.console.visitor import GROUPS, Visitor, ask

from gatekeeper.service.audit.names import texts_of
from gatekeeper.service.audit.query import find_entries
from gatekeeper.service.operate.erase import erase_subject
from gatekeeper.service.people.roles import Role
from gatekeeper.service.web.console.page import Page
from gatekeeper.service.web.console.pages import PAGES

pytestmark = pytest.mark.sqlite  # and on PostgreSQL what is marked so, too
MARKUP = '<img src=x onerror="alert(1)"></textarea><script>alert(2)</script>{{ 7 * 7 }}'
PLACES = {
    "request": "R-1",
    "challenge": "c_0",
    "device": "d_0",
    "passkey": "p_0",
    "plot": "requests",
    "version": "1",
}


def _path(page: Page) -> str:
    return re.sub(r"\{(\w+)\}", lambda one: PLACES.get(one[1], "ada@acme.example"), page.path)


def _visitors(local: LocalService) -> dict[str, Visitor]:
    return {role: Visitor(local, f"{role}@acme.example", groups=groups) for role, groups in GROUPS.items()}


@pytest.mark.parametrize("page", [page for page in PAGES if page.method == "GET"], ids=lambda page: page.path)
def test_every_page_opens_for_its_roles_alone(local: LocalService, page: Page) -> None:
    """Generated from the table: who has none of a page's roles gets 404, with the words of a page that never was."""
    ask(local, "ada@acme.example")
    for role, visitor in _visitors(local).items():
        answer = visitor.get(_path(page))
        if not {Role.DEVELOPER, Role(role)} & set(page.roles):
            assert answer.status_code == 404, (role, page.path)
            assert "There is no such page, or it is not for you." in answer.text
        elif page.path not in {"/requests/{request}", "/acts/{challenge}", "/passkeys/{challenge}"}:
            assert answer.status_code in {200, 303}, (role, page.path, answer.text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.method} {page.path}")
def test_nothing_opens_for_nobody(local: LocalService, page: Page) -> None:
    """Without a session a page leads to the sign-in, and a form is refused."""
    answer = local.send(page.method, _path(page), headers={"accept": "text/html", "origin": ISSUER})
    if page.method == "GET":
        assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in")
    else:
        assert answer.status_code == 401


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.method == "POST"], ids=lambda page: page.path
)
def test_a_form_of_another_page_is_refused(local: LocalService, page: Page) -> None:
    """No token, another session's token, or another origin: 403, whoever sends it, and nothing happens."""
    operator = Visitor(local, "kim@acme.example", groups=("platform", "ai-security", "audit"))
    other = Visitor(local, "eve@acme.example")
    for wrong in ({"csrf": ""}, {"csrf": other.session.csrf}):
        assert operator.post(_path(page), **wrong).status_code == 403
    for origin in ("https://evil.example", "null"):
        assert operator.post(_path(page), from_origin=origin).status_code == 403


def test_one_sees_what_is_ones_own(local: LocalService) -> None:
    """A request is seen by who asked, approvers of it, auditors and operators; another's device can't be revoked."""
    ada = local.workstation()
    ada.request()
    visitors = _visitors(local) | {"owner": Visitor(local, "ada@acme.example", groups=("dev",))}
    seen = {role for role, visitor in visitors.items() if visitor.get("/requests/R-1").status_code == 200}
    assert seen == {"owner", "approver", "auditor", "operator"}
    device = ada.call("GET", "/v1/devices").json()["devices"][0]["id"]
    for role, visitor in visitors.items():
        if role != "owner":
            assert visitor.post(f"/devices/{device}/revoke").status_code == 404
            assert visitor.post("/requests/R-1/cancel").status_code == 404
            assert visitor.post("/requests/R-1/reply", text="Yes.").status_code == 404
    assert ada.call("GET", "/v1/me").status_code == 200
    assert visitors["owner"].post(f"/devices/{device}/revoke").status_code == 303
    assert ada.call("GET", "/v1/me").status_code == 401


@pytest.mark.parametrize(
    "act", ["approve", "deny", "revoke", "suspend", "resume", "stop", "go-on", "revoke-device", "?"]
)
def test_an_act_is_open_to_its_roles_alone(local: LocalService, act: str) -> None:
    """A developer and an auditor can choose none of them; the approver nothing of the operator's."""
    request = ask(local, "ada@acme.example")
    wanted = {"approve": request, "deny": request, "stop": "tool:claude", "go-on": "tool:claude"}.get(
        act, "G-1"
    )
    if wanted == "G-1":
        local.approve(request)
    visitors = _visitors(local)
    for role in ("developer", "auditor"):
        assert visitors[role].choose(act, wanted, reason="No.").status_code in {400, 404}
    if act in {"stop", "go-on", "revoke-device"}:
        assert visitors["approver"].choose(act, wanted, reason="No.").status_code == 400


@pytest.mark.postgresql
def test_the_operators_acts(local: LocalService) -> None:
    """Suspend, resume, revoke, stop and let go on, each by a fresh sign-in, each with its effect."""
    station = local.workstation()
    station.request()
    local.approve("R-1")
    kim = Visitor(local, "kim@acme.example", groups=("platform",), method="oidc")

    def do(act: str, wanted: str) -> str:
        where = kim.choose(act, wanted, reason="The vendor was breached.").headers["location"]
        kim.post(where)
        return str(kim.get(where).text)

    assert "Stopped" in do("stop", "vendor:anthropic")
    assert station.launch("claude").json()["code"] == "GK311"
    assert "Goes on" in do("go-on", "vendor:anthropic")
    assert station.launch("claude").status_code == 200
    for act, code in (("suspend", "GK403"), ("resume", ""), ("revoke", "GK307")):
        do(act, "G-1")
        assert station.launch("claude").json().get("code", "") == code
    device = station.call("GET", "/v1/devices").json()["devices"][0]["id"]
    assert "Revoked" in do("revoke-device", device)
    assert station.call("GET", "/v1/me").status_code == 401
    with local.store.read() as tx:
        said = [one for one in find_entries(tx, limit=1000) if one.act in {"tool.stopped", "tool.resumed"}]
        kept = texts_of(tx, [str(one.facts()["reason"]) for one in said])
        assert [text for _, text in kept.values()] == ["The vendor was breached."] * 2
    erase_subject(local.store, "kim@acme.example", now=local.now)
    with local.store.read() as tx:
        assert texts_of(tx, kept) == {}


@pytest.mark.postgresql
def test_what_people_wrote_is_text(local: LocalService) -> None:
    """Markup in a reason, a name of a device or a question is shown, and never becomes markup."""
    local.workstation(device='<b>laptop</b>"')
    request = ask(local, "ada@acme.example", reason=MARKUP)
    sam = Visitor(local, "sam@acme.example", groups=("ai-security",))
    sam.post(f"/requests/{request}/question", text=MARKUP)
    ada = Visitor(local, "ada@acme.example", groups=("dev",))
    kim = Visitor(local, "kim@acme.example", groups=("platform",))
    for page in (
        sam.get("/inbox"),
        sam.get(f"/requests/{request}"),
        ada.get(f"/requests/{request}"),
        ada.get("/devices"),
        kim.get("/coverage"),
        kim.get("/people/ada@acme.example"),
    ):
        assert page.status_code == 200
        assert "<img src=x" not in page.text
        assert "<script>alert" not in page.text
        assert "<b>laptop" not in page.text
        assert "49" not in page.text.split("onerror")[-1][:80]


@pytest.mark.postgresql
def test_every_page_keeps_to_its_own_files(local: LocalService) -> None:
    """The policy names 'self' alone, no page holds an inline script, style or handler, nothing is cached."""
    ask(local, "ada@acme.example")
    kim = Visitor(local, "kim@acme.example", groups=("platform", "ai-security", "audit"))
    for page in PAGES:
        if page.method != "GET" or page.path.endswith((".csv", ".jsonl")):
            continue
        answer = kim.get(_path(page))
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert (answer.headers["cache-control"], answer.headers["x-frame-options"]) == ("no-store", "DENY")
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", answer.text)


def test_files_are_kept_for_ever(local: LocalService) -> None:
    """Under the digest of their contents, and under no other."""
    page = Visitor(local, "ada@acme.example").get("/approvals").text
    paths = re.findall(r'(?:src|href)="(/assets/[^"]+)"', page)
    assert len(paths) == 4
    for path in paths:
        answer = local.send("GET", path)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert local.send("GET", path.replace(path.split("/")[2], "0" * 16)).status_code == 404
    assert local.send("GET", "/assets/0000000000000000/..%2Frender.py").status_code == 404


def test_a_missing_page_is_a_page_for_people_and_a_document_for_programs(local: LocalService) -> None:
    """By what the caller accepts."""
    page = local.send("GET", "/nowhere", headers={"accept": "text/html"})
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (404, "text/html")
    document = local.send("GET", "/nowhere", headers={"accept": "*/*"})
    assert (document.status_code, document.json()["code"]) == (404, "GK604")
    api = local.send("GET", "/v1/me", headers={"accept": "text/html"})
    assert api.headers["content-type"].split(";")[0] == "application/problem+json"


def test_four_hundred_requests_are_a_mornings_work(local: LocalService) -> None:
    """Equal asks stand together: four hundred are a few groups, each chosen by one box, on one page."""
    tools = ("claude", "codex", "gemini")
    for number in range(400):
        ask(local, f"p{number}@acme.example", tool=tools[number % 3])
    sam = Visitor(local, "sam@acme.example", groups=("ai-security",))
    began = time.process_time()
    page = sam.get("/inbox")
    took = time.process_time() - began
    assert page.status_code == 200
    assert (page.text.count("data-row"), page.text.count("data-pick-all")) == (400, 3)
    assert "400 requests for you to decide" in page.text
    assert len(page.content) < 1_000_000
    print(f"the inbox of 400: {took * 1000:.0f} ms of processor time, {len(page.content) // 1024} KiB")


@pytest.mark.postgresql
def test_the_numbers_are_a_table_too(local: LocalService) -> None:
    """Each plot has its numbers as CSV, and a cell that a spreadsheet would compute is text there."""
    station = local.workstation()
    station.request()
    local.approve("R-1")
    with local.store.write() as tx:
        from gatekeeper.service.people.subjects import ensure_subject

        ensure_subject(tx, "ada@acme.example", groups=("=1+1",), now=local.now)
    kim = Visitor(local, "kim@acme.example", groups=("platform",))
    for plot in ("requests", "grants", "launches", "refusals"):
        answer = kim.get(f"/overview/{plot}.csv")
        assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/csv")
        assert not any(cell.startswith("=") for line in answer.text.splitlines() for cell in line.split(","))
    assert kim.get("/overview/nothing.csv").status_code == 404


@pytest.mark.postgresql
def test_the_audit_log_is_filtered_and_exported(local: LocalService) -> None:
    """By person, act and object; the export holds what the page shows."""
    local.workstation().request()
    local.approve("R-1")
    noor = Visitor(local, "noor@acme.example", groups=("audit",))
    assert "request.approved" in noor.get("/audit?act=request.&object=R-1").text
    assert "request.approved" in noor.get("/audit?person=sam@acme.example").text
    assert "request.approved" not in noor.get("/audit?person=ada@acme.example").text
    lines = noor.get("/audit.jsonl?object=R-1").text.splitlines()
    assert len(lines) == noor.get("/audit?object=R-1").text.count("<tr>") - 1
    assert "No entry like that" in noor.get("/audit?person=nobody").text
