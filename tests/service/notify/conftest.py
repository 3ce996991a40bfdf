"""An office, and the other ends of its messages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.access.office import Office
from tests.service.notify.parts import MailServer, Receiver, listening


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """Give the office, with nothing in its outbox."""
    made = Office(tmp_path)
    yield made
    made.store.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Give an HTTP server."""
    made = Receiver()
    with listening(made):
        yield made


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """Give an SMTP server."""
    made = MailServer()
    with listening(made):
        yield made
