"""Acts that need a step-up: chosen anywhere, shown as one list, confirmed once, performed one by one.

POST /acts makes the list out of what was chosen, and keeps it (`people.challenges`). /acts/ID shows it and takes
the proof. What is performed is the kept list, each item in a transaction of its own with its own audit entry: what
somebody else decided meanwhile is told, and hinders nothing else.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.challenges import (
    MOST_ITEMS,
    STEP_UP,
    find_challenge,
    keep_outcome,
    make_challenge,
)
from gatekeeper.service.people.passkeys import assertion_options, passkeys_of, relying_party
from gatekeeper.service.web.bodies import read_form
from gatekeeper.service.web.console.deeds import DEEDS, describe, perform
from gatekeeper.service.web.console.forms import chosen
from gatekeeper.service.web.console.render import render_page
from gatekeeper.service.web.console.serving import see
from gatekeeper.service.web.step_up import is_fresh, require_step_up
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.people.challenges import Challenge
    from gatekeeper.service.web.console.page_calls import PageCall

MOST_FIELDS = 1000


async def choose(call: PageCall) -> Response:
    """Keep what was chosen, and lead to the page that shows it.

    Raises:
        GatekeeperError: GK100, nothing or no known act is chosen; GK405, GK409, GK408, the person may not, or it is
            over; GK404, a reason is missing; GK410, more than 100, or wider than asked.
    """
    form = await read_form(call.request, most_fields=MOST_FIELDS)
    deed = DEEDS.get(form.get("act", ""))
    if deed is None or not call.has(*deed.roles):
        raise GatekeeperError("GK100", "There is no such act.")
    objects = chosen(form, "pick-")
    if not objects:
        raise GatekeeperError("GK100", "Nothing is chosen.")
    if len(objects) > MOST_ITEMS:
        raise GatekeeperError(
            "GK410", f"At most {MOST_ITEMS} can be confirmed at once; these are {len(objects)}."
        )

    def keep(tx: Connection) -> Challenge:
        return make_challenge(
            tx,
            session=call.session.id,
            subject=call.me.id,
            purpose=STEP_UP,
            items=[describe(tx, call, deed, one, form) for one in objects],
            random_bytes=call.service.authority.random_bytes,
            now=call.now,
        )

    challenge = await call.service.turns.write(keep)
    return see(f"/acts/{challenge.id}")


async def show(call: PageCall) -> Response:
    """Show a list: to be confirmed, or what became of it.

    Raises:
        GatekeeperError: GK409, this session has none of that id.
    """
    wanted = str(call.request.path_params["challenge"])
    challenge, known = await call.service.turns.read(
        lambda tx: (
            find_challenge(tx, wanted, session=call.session.id),
            passkeys_of(tx, call.me.id),
        )
    )
    options, no_passkeys = "", ""
    if known:
        try:
            party = relying_party(call.service.issuer)
            options = render_json(
                assertion_options(known, party=party, challenge=challenge.to_sign())
            ).decode()
        except GatekeeperError as error:
            no_passkeys = error.detail
    title = "Done" if challenge.used_at is not None else _title(challenge)
    return render_page(
        call,
        "act.html",
        title=title,
        challenge=challenge,
        rows=list(zip(challenge.items, challenge.outcome or [{}] * len(challenge.items), strict=False)),
        over=challenge.used_at is None and call.now >= challenge.expires_at,
        options=options,
        no_passkeys=no_passkeys,
        fresh=is_fresh(call.session, now=call.now),
        provider=call.service.has_provider,
        back=_back(challenge),
    )


async def confirm(call: PageCall) -> Response:
    """Check the proof, and perform the kept list.

    Raises:
        GatekeeperError: GK405, nothing is proved; GK409, GK408, there is no such list, or it is over.
    """
    wanted = str(call.request.path_params["challenge"])
    form = await read_form(call.request)
    credential = form.get("credential", "")
    step_up = await call.service.turns.write(
        lambda tx: require_step_up(tx, call, challenge_id=wanted, purpose=STEP_UP, credential=credential)
    )
    outcome = await asyncio.gather(*(_performed(call, item) for item in step_up.challenge.items))
    await call.service.turns.write(lambda tx: keep_outcome(tx, wanted, outcome))
    return see(f"/acts/{wanted}")


async def _performed(call: PageCall, item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Perform one item; a refusal is an outcome, and hinders none of the others."""
    try:
        words = await call.service.turns.write(lambda tx: perform(tx, call, item))
    except GatekeeperError as error:
        return {"done": False, "words": error.detail, "code": error.code}
    return {"done": True, "words": words}


def _title(challenge: Challenge) -> str:
    verbs = sorted({str(item["act"]) for item in challenge.items})
    what = DEEDS[verbs[0]].words if len(verbs) == 1 else "Confirm"
    number = len(challenge.items)
    return f"{what} {challenge.items[0]['object']}" if number == 1 else f"{what} {number}"


def _back(challenge: Challenge) -> str:
    return DEEDS[str(challenge.items[0]["act"])].back
