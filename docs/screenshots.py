"""Make the pictures of the console in docs/images/console: a service with a story in it, seen by a real browser.

`.venv/bin/python -m docs.screenshots` writes them anew. It needs Chromium, and the fonts that the pictures show.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tests.browser.parts import NOW, POLICY, Console, authenticator, chromium, register_passkey, sign_in

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

IMAGES = Path(__file__).parent / "images" / "console"
_DAY = 86_400
_HOUR = 3600
_DARK = {"inbox-dark", "request-dark", "overview-dark", "tools-dark"}
_SIZE: ViewportSize = {"width": 1360, "height": 860}
_TEAMS = {"dev": 9, "data": 5, "mobile": 4}
_NAMES = [
    "Ben",
    "Cleo",
    "Dana",
    "Eli",
    "Fay",
    "Gus",
    "Hana",
    "Ivo",
    "Jo",
    "Kai",
    "Lea",
    "Max",
    "Nia",
    "Oki",
    "Pia",
    "Rui",
    "Tove",
    "Uma",
]
_REASONS = [
    "Reviewing pull requests of the billing service: I want a second pair of eyes on migrations.",
    "Porting the search backend to the new client library, about forty call sites.",
    "Writing tests for the legacy importer before we take it apart.",
    "Support rota this month: reading stack traces of code that I don't know.",
    "Prototype for the customer portal, outside of every protected repository.",
]


def tell(console: Console) -> None:
    """Fill a service with twelve weeks of asking and deciding."""
    chance = random.Random(7)  # noqa: S311 - the same pictures every time
    end = NOW
    teams = [team for team, number in _TEAMS.items() for _ in range(number)]
    people = [console.colleague(name, groups=(team,)) for name, team in zip(_NAMES, teams, strict=True)]
    for number, one in enumerate(people):
        console.enrol(one, f"{one.display.lower()}-laptop", f"{number:043d}")
    for week in range(12):
        for _ in range(3 + week // 2 + chance.randrange(3)):
            console.now = end - (84 - 7 * week) * _DAY + chance.randrange(5 * _DAY)
            one = chance.choice(people)
            tool = chance.choice(["claude", "claude", "claude", "codex", "gemini"])
            request = console.ask(one, tool, chance.choice(_REASONS), duration="90d")
            if console.state_of(request) != "pending":
                continue
            console.now += int(_HOUR * (26 - 2 * week) * chance.uniform(0.3, 1.2)) if week < 12 else 0
            if chance.random() < 0.12:
                console.deny(request, reason="The in-house model does this; ask again if it doesn't.")
            else:
                console.approve(request)
    console.now = end - 6 * _HOUR
    console.use(people, chance)
    console.apply(
        POLICY.replace('max_duration = "90d"', 'max_duration = "60d"').replace("seats = 2", "seats = 3")
    )
    console.now = end - 5 * _HOUR
    ada = console.person("developer")
    console.enrol(ada, "ada-laptop", "a" * 43)
    console.approve(
        console.ask(ada, "claude", _REASONS[0], duration="30d"), reason="Agreed for this quarter."
    )
    console.now = end - 3 * _HOUR
    console.ask(
        ada, "gemini", "Comparing answers of two assistants for the evaluation that security asked for."
    )
    for one in people[2:9]:
        console.now += 180
        console.ask(one, "codex", "Onboarding with the platform team: the exercises of the first week.")
    console.now = end - 40 * 60
    console.ask(
        people[11],
        "claude",
        "Refactoring the evaluation harness beside the model code; weights and training code stay closed.",
        zones=("frontier-models", "none"),
        duration="14d",
    )
    console.now = end


def take(page: Page, name: str, path: str) -> None:
    """Take one picture; of the dark ones a few."""
    if path:
        page.goto(path)
    page.evaluate("document.activeElement && document.activeElement.blur()")
    if not name.endswith("-dark") or name in _DARK:
        page.screenshot(path=IMAGES / f"{name}.png", animations="disabled")


def pictures(browser: Browser, console: Console, *, scheme: Literal["light", "dark"]) -> None:
    """Take the pictures of every page, in light or dark."""
    ending = "-dark" if scheme == "dark" else ""

    def seen_by(role: str) -> Page:
        context = browser.new_context(
            base_url=console.issuer,
            viewport=_SIZE,
            color_scheme=scheme,
        )
        return sign_in(context, console, role)

    context = browser.new_context(base_url=console.issuer, viewport=_SIZE, color_scheme=scheme)
    take(context.new_page(), f"sign-in{ending}", "/sign-in")
    ada = seen_by("developer")
    for name, path in (("my-approvals", "/approvals"), ("ask", "/approvals/new")):
        take(ada, f"{name}{ending}", path)
    sam = seen_by("approver")
    authenticator(sam)
    register_passkey(sam, f"Security key, {scheme}")
    take(sam, f"devices{ending}", "/devices")
    take(sam, f"inbox{ending}", "/inbox")
    if sam.locator(".group details:not([open])").count():
        sam.locator(".group summary").first.click()
    for box in sam.locator("details input[data-pick]").all()[:3]:
        box.check()
    take(sam, f"inbox-chosen{ending}", "")
    sam.get_by_role("button", name="Approve…").click()
    take(sam, f"confirm{ending}", "")
    take(sam, f"request{ending}", f"/requests/{console.newest_request()}")
    kim = seen_by("operator")
    for name in ("overview", "grants", "tools", "coverage", "policy", "people"):
        take(kim, f"{name}{ending}", f"/{name}")
    take(kim, f"audit{ending}", "/audit?act=request.")
    take(kim, f"policy-version{ending}", "/policy/2")


def main() -> None:
    """Write every picture."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        console = Console(Path(folder) / "service", now=NOW - 84 * _DAY)
        try:
            tell(console)
            pictures(browser, console, scheme="light")
            pictures(browser, console, scheme="dark")
        finally:
            console.close()


if __name__ == "__main__":
    main()
