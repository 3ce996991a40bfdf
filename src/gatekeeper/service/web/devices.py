"""`/v1/me` and `/v1/devices`: who the caller is, and the caller's own devices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.documents.api import DeviceView, Me, render_device, render_me
from gatekeeper.service.audit.log import record
from gatekeeper.service.people.devices import devices_of, revoke_device
from gatekeeper.service.web.answers import answer_json
from gatekeeper.service.web.problems import HttpFault

if TYPE_CHECKING:
    from starlette.responses import Response

    from gatekeeper.service.people.devices import Device
    from gatekeeper.service.web.calls import SignedInCall


async def me(call: SignedInCall) -> Response:
    """Answer who calls."""
    subject, device = call.subject, call.device
    return answer_json(
        render_me(
            Me(
                subject=subject.id,
                name=subject.name,
                groups=subject.groups,
                device=device.id,
                device_name=device.name,
            )
        )
    )


async def devices(call: SignedInCall) -> Response:
    """Answer with the subject's devices, revoked ones included."""
    with call.service.store.read() as tx:
        found = devices_of(tx, call.subject.id)
    return answer_json({"devices": [render_device(_view(device)) for device in found]})


async def revoke(call: SignedInCall) -> Response:
    """Revoke one of the subject's own devices; another's doesn't exist, as far as the caller hears."""
    wanted = str(call.request.path_params["device"])
    with call.service.store.write() as tx:
        if wanted not in {device.id for device in devices_of(tx, call.subject.id)}:
            raise HttpFault(404, "You have no device with this id.")
        if revoke_device(tx, wanted, by=call.subject.name, now=call.now):
            record(tx, at=call.now, actor=call.device.id, act="device.revoked", object=wanted, detail={})
        found = next(d for d in devices_of(tx, call.subject.id) if d.id == wanted)
    return answer_json(render_device(_view(found)))


def _view(device: Device) -> DeviceView:
    return DeviceView(
        id=device.id,
        name=device.name,
        state=device.state,
        enrolled_at=device.enrolled_at,
        seen_at=device.seen_at,
    )
