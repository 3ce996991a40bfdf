"""One browser for all tests of a worker, and a service of its own for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, BrowserContext
from tests.browser.parts import Console, chromium
from tests.e2e.parts import install_npm_tools

Scheme = Literal["light", "dark"]
Open = Callable[..., BrowserContext]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Give Debian's Chromium.

    For a module, not for the session: Playwright keeps an event loop running in this thread for as long as it is
    there, and other tests of the same process begin loops of their own.
    """
    with chromium() as made:
        yield made


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """Give a service that a browser can reach."""
    made = Console(tmp_path / "service")
    yield made
    made.close()


@pytest.fixture
def opened(browser: Browser, console: Console) -> Iterator[Open]:
    """Give a way to open browsers that share nothing."""
    contexts: list[BrowserContext] = []

    def make(*, scheme: Scheme = "light", scripts: bool = True) -> BrowserContext:
        context = browser.new_context(
            base_url=console.issuer, color_scheme=scheme, java_script_enabled=scripts
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        return context

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """Give axe-core's program."""
    commands = install_npm_tools(Path(__file__).parent / "npm")
    return (commands.parent / "axe-core" / "axe.min.js").read_text("utf-8")
