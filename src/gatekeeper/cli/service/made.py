"""What every command of the service shares: its options, its help with examples, and a service that was made.

The service's packages come with the extra `[service]`; without them each command says so, and the help still works.
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatekeeper.cli.formats.text import say
from gatekeeper.errors import GatekeeperError
from gatekeeper.workstation.state import data_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from gatekeeper.service.settings import ServiceSettings
    from gatekeeper.service.store.transactions import Store

PACKAGES = ("sqlalchemy", "alembic", "starlette", "uvicorn")


def with_examples(words: str, *examples: str) -> str:
    """Return a help text that ends with runnable examples."""
    shown = "\n".join(f"  gatekeeper service {example}" for example in examples)
    return f"{words}\n\n\b\nExamples:\n{shown}"


Data = Annotated[
    str,
    typer.Option(
        "--data", metavar="DIR", help="The service's directory.", show_default="in the data directory"
    ),
]
As = Annotated[str, typer.Option("--as", metavar="SUBJECT", help="Whose decision it is.", show_default=False)]
Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="The reason, for the person who asked.")
]


def _folded(id_: str) -> str:
    """Take r-1 for R-1, as everywhere."""
    return id_.upper()


RequestId = Annotated[
    str, typer.Argument(metavar="R-…", help="The request.", show_default=False, callback=_folded)
]
GrantId = Annotated[
    str, typer.Argument(metavar="G-…", help="The grant.", show_default=False, callback=_folded)
]


def examples(*examples: str) -> Callable[[Any], Any]:
    """Add runnable examples to a command's help."""

    def add(function: Any) -> Any:
        function.__doc__ = with_examples(" ".join((function.__doc__ or "").split()), *examples)
        return function

    return add


def require_packages() -> None:
    """Refuse in words where the extra isn't installed. Raises `GatekeeperError` GK106."""
    missing = [name for name in PACKAGES if not _is_there(name)]
    if missing:
        raise GatekeeperError(
            "GK106",
            f"The service's packages aren't installed: {', '.join(missing)}.",
            remedy="pip install 'ai-gatekeeper[service]'",
        )


def _is_there(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ImportError:
        return False


def data_of(given: str) -> Path:
    """Return the service's directory, absolute, so that what is printed can be run anywhere."""
    if given:
        return Path(os.path.abspath(given))  # noqa: PTH100 - a link at the end stays a link
    home = os.environ.get("HOME", "")
    return Path(data_directory(os.environ, home)) / "service"


@contextmanager
def opened(data: str) -> Iterator[tuple[ServiceSettings, Store]]:
    """Open a service that was made, beside the process that may be serving it."""
    require_packages()
    from gatekeeper.service.settings import database_password, load_settings
    from gatekeeper.service.store.transactions import open_store

    settings = load_settings(data_of(data))
    store = open_store(settings.database, password=database_password(settings))
    try:
        yield settings, store
    finally:
        store.close()


def hint(text: str) -> None:
    """Tell a person something on stderr; stdout carries the result alone."""
    say(text, sys.stderr)


def now() -> int:
    """Return the time, in Unix seconds."""
    return int(time.time())
