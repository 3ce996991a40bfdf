"""People and devices for the operator, and coverage for the auditor: which devices there are, and when they were seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.grants import grants_of
from gatekeeper.service.access.requests import requests_of
from gatekeeper.service.people.devices import devices_of
from gatekeeper.service.people.passkeys import passkeys_of
from gatekeeper.service.people.subjects import find_subject
from gatekeeper.service.web.console.listings import find_devices, find_people
from gatekeeper.service.web.console.render import render_page

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.web.console.page_calls import PageCall

_MOST = 300
_DAY = 86_400
SEEN_LATELY = 7 * _DAY


async def listing(call: PageCall) -> Response:
    """Show people, filtered by a part of their name."""
    person = call.request.query_params.get("person", "").strip()[:100]
    found = await call.service.turns.read(
        lambda tx: find_people(tx, person=person, limit=_MOST + 1, now=call.now)
    )
    return render_page(
        call, "people.html", title="People", found=found[:_MOST], more=len(found) > _MOST, person=person
    )


async def show(call: PageCall) -> Response:
    """Show one person: groups, devices, grants, requests.

    Raises:
        GatekeeperError: GK409, there is nobody of that name; GK100, it can be no name.
    """
    wanted = str(call.request.path_params["name"])

    def look(tx: Connection) -> dict[str, object]:
        subject = find_subject(tx, wanted)
        if subject is None:
            raise GatekeeperError("GK409", "There is nobody of this name.")
        return {
            "title": subject.display,
            "subject": subject,
            "devices": devices_of(tx, subject.id),
            "passkeys": passkeys_of(tx, subject.id),
            "held": grants_of(tx, subject.id, now=call.now),
            "asked": requests_of(tx, subject.id, now=call.now)[:50],
        }

    facts: dict[str, Any] = await call.service.turns.read(look)
    return render_page(call, "person.html", **facts)


async def coverage(call: PageCall) -> Response:
    """Show every device: whose, in which state, and when it was last seen."""
    found = await call.service.turns.read(lambda tx: find_devices(tx, limit=1000))
    active = [device for device in found if device.state == "active"]
    lately = sum(device.seen_at > call.now - SEEN_LATELY for device in active)
    return render_page(
        call,
        "coverage.html",
        title="Coverage",
        found=found,
        active=len(active),
        lately=lately,
        owners=len({device.subject for device in active}),
    )
