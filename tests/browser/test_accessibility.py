"""axe-core finds no serious fault on any page, in light and in dark."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page
from tests.browser.conftest import Open
from tests.browser.parts import Console, authenticator, register_passkey, sign_in

pytestmark = pytest.mark.xdist_group("browser-accessibility")  # one browser for all of them

SERIOUS = {"serious", "critical"}


def _faults(page: Page, axe: str) -> list[str]:
    page.evaluate(axe)  # through the DevTools protocol, past the policy of the page
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found["violations"]
        if one["impact"] in SERIOUS
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_fault(console: Console, opened: Open, axe: str, scheme: str) -> None:
    """Every page, with something on it and with nothing, and what comes before a signature."""
    anonymous = opened(scheme=scheme).new_page()
    anonymous.goto("/sign-in")
    faults = [f"/sign-in {one}" for one in _faults(anonymous, axe)]
    ada = console.person("developer")
    console.enrol(ada, "ada-laptop", "a" * 43)
    page = sign_in(opened(scheme=scheme), console, "operator")
    authenticator(page)
    register_passkey(page)
    for path in ("/inbox", "/approvals", "/grants"):
        page.goto(path)
        faults += [f"{path} (empty) {one}" for one in _faults(page, axe)]
    console.approve(
        console.ask(ada, "gemini", "Comparing the answers of two assistants."), by="sam@acme.example"
    )
    for name in ("Ben", "Cleo"):
        console.ask(console.colleague(name, groups=("dev",)), "codex", "The exercises of the first week.")
    console.ask(ada, "claude", "Refactoring beside the model code.", zones=("frontier-models", "none"))
    for path in (
        "/inbox",
        "/requests/R-4",
        "/approvals/new",
        "/devices",
        "/grants",
        "/tools",
        "/overview",
        "/coverage",
        "/audit",
        "/policy",
        "/policy/1",
        "/people",
        "/people/ada@acme.example",
        "/nowhere",
    ):
        page.goto(path)
        faults += [f"{path} {one}" for one in _faults(page, axe)]
    page.goto("/inbox")
    page.get_by_label("Choose all 2").check()
    page.get_by_role("button", name="Approve…").click()
    faults += [f"/acts {one}" for one in _faults(page, axe)]
    assert faults == []
