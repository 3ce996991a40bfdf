"""An emergency in the console: offered where policy says so, taken by one's own passkey, and by nothing less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.access.office import FILES
from tests.service.local import LocalService
from tests.service.web.console.visitor import Visitor

from gatekeeper.service.access.grants import grants_of

WHY = "Production is down."


@pytest.fixture
def office(tmp_path: Path) -> Iterator[LocalService]:
    """Give a service whose policy lets people on call break the glass."""
    made = LocalService(tmp_path / "svc", policy=FILES)
    yield made
    made.close()


def test_a_passkey_breaks_the_glass(office: LocalService) -> None:
    """Offered on the page, shown before it is confirmed, granted for four hours."""
    ada = Visitor(office, "ada@acme.example", groups=("oncall",))
    ada.register()
    assert "An emergency?" in ada.get("/approvals/new").text
    where = ada.choose("break-glass", "probe", reason=WHY).headers["location"]
    assert WHY in ada.get(where).text
    assert ada.post(where).status_code == 403, "the session alone proves nothing"
    assert ada.confirm(where).headers["location"] == where
    assert "Granted for four hours" in ada.get(where).text
    with office.store.read() as tx:
        (grant,) = grants_of(tx, ada.subject.id, now=office.now)
    assert (grant.kind, grant.state, grant.ends_at - grant.starts_at) == ("break-glass", "active", 4 * 3600)
    assert office.workstation("ada@acme.example").launch("probe").status_code == 200


def test_it_is_offered_to_nobody_else(office: LocalService) -> None:
    """Neither on the page, nor to whoever sends the form all the same."""
    ben = Visitor(office, "ben@acme.example", groups=("web",))
    assert "An emergency?" not in ben.get("/approvals/new").text
    refused = ben.choose("break-glass", "probe", reason=WHY)
    assert (refused.status_code, "GK310" in refused.text) == (403, True)
    oncall = Visitor(office, "ada@acme.example", groups=("oncall",))
    assert oncall.choose("break-glass", "probe", reason="short").status_code == 422
    assert oncall.choose("break-glass", "nothing", reason=WHY).status_code == 403
