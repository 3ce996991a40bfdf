"""The reference is what the code says, and no page points into the void."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docs import generate

from gatekeeper.codes import CODES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("name", list(generate.PAGES))
def test_a_reference_page_is_what_the_code_says(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`make docs` would change nothing."""
    monkeypatch.setenv("COLUMNS", "100")
    assert (generate.REFERENCE / name).read_text("utf-8") == generate.PAGES[name]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is a file of this repository."""
    targets = [target.partition("#")[0] for target in _LINK.findall(page.read_text("utf-8"))]
    local = [target for target in targets if target and "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_codes_exist(page: Path) -> None:
    """No page explains a code that the program doesn't know."""
    named = set(re.findall(r"\bGK\d{3}\b", page.read_text("utf-8")))
    assert named <= set(CODES)


def test_every_page_is_reachable() -> None:
    """From the README, by links alone, every page of docs/ can be reached."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in seen or page.suffix != ".md" or not page.is_file():
            continue
        seen.add(page)
        for target in _LINK.findall(page.read_text("utf-8")):
            if "://" not in target and not target.startswith("#"):
                waiting.append((page.parent / target.partition("#")[0]).resolve())
    assert [str(page.relative_to(ROOT)) for page in PAGES if page not in seen] == []
