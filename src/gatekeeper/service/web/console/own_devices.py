"""The person's own devices and passkeys: revoke, remove, register."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.log import record
from gatekeeper.service.people.challenges import PASSKEY, find_challenge, make_challenge, use_challenge
from gatekeeper.service.people.devices import devices_of, revoke_device
from gatekeeper.service.people.names import check_name
from gatekeeper.service.people.passkeys import (
    passkeys_of,
    register_passkey,
    registration_options,
    relying_party,
    remove_passkey,
)
from gatekeeper.service.web.bodies import read_form
from gatekeeper.service.web.console.render import render_page
from gatekeeper.service.web.console.serving import see
from gatekeeper.service.web.step_up import may_register
from gatekeeper.strict import render_json

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from starlette.responses import Response

    from gatekeeper.service.web.console.page_calls import PageCall


async def listing(call: PageCall) -> Response:
    """Show the person's devices and passkeys."""
    found, known = await call.service.turns.read(
        lambda tx: (devices_of(tx, call.me.id), passkeys_of(tx, call.me.id))
    )
    try:
        party, why_not = relying_party(call.service.issuer), ""
    except GatekeeperError as error:
        party, why_not = None, error.detail
    return render_page(
        call,
        "devices.html",
        title="Devices and passkeys",
        devices=found,
        passkeys=known,
        party=party,
        why_not=why_not,
        may_register=may_register(call.session, now=call.now),
        provider=call.service.has_provider,
    )


async def revoke(call: PageCall) -> Response:
    """Revoke one of the person's own devices; another's doesn't exist, as far as they hear."""
    wanted = str(call.request.path_params["device"])

    def work(tx: Connection) -> None:
        if wanted not in {device.id for device in devices_of(tx, call.me.id)}:
            raise GatekeeperError("GK409", "You have no device with this id.")
        if revoke_device(tx, wanted, by=call.me.name, now=call.now):
            record(tx, at=call.now, actor=call.me.id, act="device.revoked", object=wanted, detail={})

    await call.service.turns.write(work)
    return see("/devices")


async def begin(call: PageCall) -> Response:
    """Begin to register a passkey: keep its name, and show the page that asks the authenticator.

    Raises:
        GatekeeperError: GK405, the sign-in is not fresh enough; GK410, this service can have none; GK100, the name.
    """
    form = await read_form(call.request)
    _check_may(call)
    relying_party(call.service.issuer)
    name = check_name(form.get("name", "").strip(), what="passkey's name", max_chars=128)
    challenge = await call.service.turns.write(
        lambda tx: make_challenge(
            tx,
            session=call.session.id,
            subject=call.me.id,
            purpose=PASSKEY,
            items=[{"act": "register", "name": name}],
            random_bytes=call.service.authority.random_bytes,
            now=call.now,
        )
    )
    return see(f"/passkeys/{challenge.id}")


async def show(call: PageCall) -> Response:
    """Show the page that asks the authenticator."""
    wanted = str(call.request.path_params["challenge"])
    challenge, known = await call.service.turns.read(
        lambda tx: (
            find_challenge(tx, wanted, session=call.session.id),
            passkeys_of(tx, call.me.id),
        )
    )
    if challenge.purpose != PASSKEY or challenge.used_at is not None:
        return see("/devices")
    options = registration_options(
        call.me,
        known,
        party=relying_party(call.service.issuer),
        organisation=call.policy.organisation,
        challenge=challenge.to_sign(),
    )
    return render_page(
        call,
        "passkey.html",
        title="Register a passkey",
        challenge=challenge,
        name=challenge.items[0]["name"],
        options=render_json(options).decode(),
    )


async def register(call: PageCall) -> Response:
    """Keep the passkey that the authenticator made.

    Raises:
        GatekeeperError: GK405, GK408, GK409, it proves nothing, or the challenge is over.
    """
    form = await read_form(call.request)
    _check_may(call)
    wanted = str(call.request.path_params["challenge"])

    def work(tx: Connection) -> None:
        challenge = use_challenge(tx, wanted, session=call.session.id, purpose=PASSKEY, now=call.now)
        made = register_passkey(
            tx,
            form.get("credential", ""),
            subject=call.me,
            name=str(challenge.items[0]["name"]),
            party=relying_party(call.service.issuer),
            challenge=challenge.to_sign(),
            now=call.now,
        )
        detail = {"by": call.session.method, "synced": made.synced}
        record(tx, at=call.now, actor=call.me.id, act="passkey.registered", object=made.id, detail=detail)

    await call.service.turns.write(work)
    return see("/devices")


async def remove(call: PageCall) -> Response:
    """Remove one of the person's own passkeys."""
    wanted = str(call.request.path_params["passkey"])

    def work(tx: Connection) -> None:
        gone = remove_passkey(tx, wanted, subject_id=call.me.id, now=call.now)
        record(tx, at=call.now, actor=call.me.id, act="passkey.removed", object=gone.id, detail={})

    await call.service.turns.write(work)
    return see("/devices")


def _check_may(call: PageCall) -> None:
    if not may_register(call.session, now=call.now):
        raise GatekeeperError(
            "GK405",
            "Registering a passkey needs a sign-in within the last five minutes, at the identity provider or with a "
            "one-time code of the operator's.",
        )
