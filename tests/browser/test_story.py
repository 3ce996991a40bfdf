"""The console's story in a real browser: sign in, ask, look closer, approve with a passkey, wait for a seat, revoke."""

from __future__ import annotations

import pytest
from tests.browser.conftest import Open
from tests.browser.parts import Console, authenticator, register_passkey, sign_in

pytestmark = pytest.mark.xdist_group("browser-story")  # one browser for all of them

REASON = "Reviewing the pull requests of the billing service."


def test_from_asking_to_a_revocation(console: Console, opened: Open) -> None:
    """Ada asks; Sam asks back, approves narrower with a passkey, and revokes; Ada sees each."""
    ada = sign_in(opened(), console, "developer")
    ada.get_by_role("link", name="Ask for a tool").first.click()
    ada.get_by_label("Tool").select_option("claude")
    ada.get_by_label("What for").fill(REASON)
    ada.get_by_role("button", name="Send the request").click()
    ada.wait_for_url("**/requests/R-1")
    assert ada.get_by_text("pending").is_visible()

    sam = sign_in(opened(), console, "approver")
    authenticator(sam)
    register_passkey(sam)
    sam.goto("/inbox")
    sam.get_by_role("link", name="Look closer").click()
    sam.get_by_label("Ask a question first").fill("Which repositories?")
    sam.get_by_role("button", name="Ask", exact=True).click()
    ada.reload()
    ada.get_by_label("Your answer").fill("billing and billing-tests")
    ada.get_by_role("button", name="Send the answer").click()
    sam.goto("/requests/R-1")
    assert sam.get_by_text("billing and billing-tests").is_visible()
    sam.get_by_label("For", exact=True).fill("2d")
    sam.get_by_role("button", name="Approve…").click()
    assert sam.get_by_text("narrower than asked").is_visible()
    sam.get_by_role("button", name="Confirm with a passkey").click()
    sam.get_by_text("Each line has its own entry in the audit log.").wait_for()
    assert sam.get_by_text("Approved", exact=True).is_visible()

    ada.goto("/approvals")
    assert ada.get_by_role("cell", name="active").is_visible()
    sam.goto("/grants")
    sam.get_by_label("Choose G-1").check()
    sam.get_by_placeholder("Reason, read by the person").fill("The project ended.")
    sam.get_by_role("button", name="Revoke…").click()
    sam.get_by_role("button", name="Confirm with a passkey").click()
    sam.get_by_text("Revoked", exact=True).wait_for()
    ada.goto("/approvals")
    assert ada.get_by_role("cell", name="The project ended.").is_visible()


def test_the_third_of_two_seats_waits(console: Console, opened: Open) -> None:
    """Three are chosen by one box, signed once; two get a seat, the third its place, and it moves up by itself."""
    for name in ("Ben", "Cleo", "Dana"):
        console.ask(console.colleague(name, groups=("dev",)), "gemini", REASON)
    sam = sign_in(opened(), console, "approver")
    authenticator(sam)
    register_passkey(sam)
    sam.goto("/inbox")
    sam.get_by_label("Choose all 3").check()
    assert sam.get_by_text("3 chosen").is_visible()
    sam.get_by_role("button", name="Approve…").click()
    sam.get_by_role("button", name="Confirm with a passkey").click()
    sam.get_by_text("Approved: waits for a seat").wait_for()
    sam.goto("/tools")
    assert sam.get_by_text("2 of 2").is_visible()
    sam.goto("/grants?state=active&tool=gemini")
    sam.get_by_label("Choose G-1").check()
    sam.get_by_placeholder("Reason, read by the person").fill("Left the team.")
    sam.get_by_role("button", name="Revoke…").click()
    sam.get_by_role("button", name="Confirm with a passkey").click()
    sam.get_by_text("Revoked", exact=True).wait_for()
    sam.goto("/grants?state=active&tool=gemini")
    assert sam.get_by_role("cell", name="dana@acme.example dev").is_visible()


def test_by_keyboard_alone(console: Console, opened: Open) -> None:
    """j, x, j, x, a: two are chosen and on their way, without a mouse."""
    for name in ("Ben", "Cleo", "Dana"):
        console.ask(console.colleague(name, groups=("dev",)), "claude" if name == "Ben" else "codex", REASON)
    sam = sign_in(opened(), console, "approver")
    sam.goto("/inbox")
    for key in ("j", "x", "j", "x"):
        sam.keyboard.press(key)
    assert sam.get_by_text("2 chosen").is_visible()
    sam.keyboard.press("a")
    sam.wait_for_url("**/acts/**")
    assert sam.get_by_role("heading", name="Approve 2").is_visible()


def test_without_javascript(console: Console, opened: Open) -> None:
    """Asking, choosing and filtering work; only the passkey says that it needs it."""
    ada = sign_in(opened(scripts=False), console, "developer")
    ada.goto("/approvals/new")
    ada.get_by_label("What for").fill(REASON)
    ada.get_by_role("button", name="Send the request").click()
    sam = sign_in(opened(scripts=False), console, "approver")
    sam.goto("/inbox?tool=claude")
    sam.get_by_label("Choose R-1").check()
    sam.get_by_role("button", name="Approve…").click()
    assert sam.get_by_role("heading", name="Approve R-1").is_visible()
    assert not sam.get_by_role("button", name="Confirm with a passkey").is_visible()


def test_a_filter_swaps_the_list_alone(console: Console, opened: Open) -> None:
    """The address follows, and the choice goes on working in the new list."""
    for name in ("Ben", "Cleo"):
        console.ask(console.colleague(name, groups=("dev",)), "claude" if name == "Ben" else "codex", REASON)
    sam = sign_in(opened(), console, "approver")
    sam.goto("/inbox")
    sam.get_by_label("Tool").select_option("codex")
    sam.wait_for_url("**tool=codex**")
    sam.get_by_text("Ben").wait_for(state="detached")
    sam.get_by_label("Choose R-2").check()
    assert sam.get_by_text("1 chosen").is_visible()


def test_nothing_breaks_the_policy_of_the_pages(console: Console, opened: Open) -> None:
    """No page makes the browser report a violation of its content security policy, or an error."""
    console.ask(
        console.colleague("Ben", groups=("dev",)),
        "claude",
        "<script>document.title = 'taken'</script> and more",
    )
    page = sign_in(opened(), console, "operator")
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    for path in (
        "/inbox",
        "/approvals",
        "/approvals/new",
        "/devices",
        "/grants",
        "/tools",
        "/overview",
        "/coverage",
        "/policy",
        "/policy/1",
        "/people",
        "/requests/R-1",
    ):
        page.goto(path)
        assert "taken" not in page.title()
    assert said == []
