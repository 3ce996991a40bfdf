"""What can be done by step-up: who may, how it is shown before, and how it is performed.

`describe` turns what was chosen into one item of the list: everything that will happen, in JSON types, so that the
challenge commits to it. `perform` reads nothing but that item. Both ask access and policy whether it is allowed:
between the two, minutes pass and policies change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.access.deciding import approve_request, deny_request
from gatekeeper.service.access.grant_reviewers import may_act_on_grant
from gatekeeper.service.access.grants import actor_of, get_grant, resume_grant, revoke_grant, suspend_grant
from gatekeeper.service.access.inbox import may_review
from gatekeeper.service.access.request_rows import get_request
from gatekeeper.service.access.reviews import STEP_UP, narrow_duration, narrow_zones
from gatekeeper.service.audit.log import record
from gatekeeper.service.people.devices import get_device, revoke_device
from gatekeeper.service.people.names import check_free_text, visible_length
from gatekeeper.service.people.roles import Role
from gatekeeper.service.people.subjects import get_subject
from gatekeeper.service.policy.durations import parse_duration, render_duration
from gatekeeper.service.policy.stops import resume_stopped, stop
from gatekeeper.service.web.console.concerned import NOBODY_ELSE, concerned_by
from gatekeeper.service.web.console.emergency import describe_emergency, do_emergency
from gatekeeper.service.web.console.forms import chosen
from gatekeeper.service.web.console.navigation import EVERYONE, REVIEWERS
from gatekeeper.values import Value

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from gatekeeper.service.access.grants import Grant
    from gatekeeper.service.access.request_rows import AccessRequest
    from gatekeeper.service.web.console.page_calls import PageCall

Item = Mapping[str, Any]
_TOOL, _VENDOR = "tool:", "vendor:"


class Deed(Value):
    """One kind of act: its verb, whom it is open to, where its page is, and its two halves."""

    id: str
    words: str
    roles: tuple[Role, ...]
    back: str
    describe: Callable[[Connection, PageCall, Deed, str, Mapping[str, str]], dict[str, Any]]
    perform: Callable[[Connection, PageCall, Item], str]


def describe(
    tx: Connection, call: PageCall, deed: Deed, wanted: str, form: Mapping[str, str]
) -> dict[str, Any]:
    """Return what a deed would do to the object of a hostile id.

    Raises:
        GatekeeperError: GK409, GK408, GK405, GK404, GK410, as the deed itself would.
    """
    item = {"act": deed.id, "verb": deed.words, "object": wanted, "tool": "", "zones": [], "duration_for": 0}
    item |= {"asked": "", "narrowed": False, "reason": _reason(form), **NOBODY_ELSE}
    return item | deed.describe(tx, call, deed, wanted, form)


def perform(tx: Connection, call: PageCall, item: Item) -> str:
    """Do what an item says, and return what became of it in a few words. Raises as `describe` does."""
    return DEEDS[str(item["act"])].perform(tx, call, item)


def _of_request(tx: Connection, call: PageCall, request: AccessRequest) -> dict[str, Any]:
    if not may_review(tx, call.policy, request, call.me, now=call.now):
        # Another's request doesn't exist, as far as somebody hears who may not decide about it.
        raise GatekeeperError("GK409", "There is no such request.")
    if request.state != "pending":
        raise GatekeeperError("GK408", f"The request {request.id} is {request.state}.")
    return {
        **concerned_by(tx, request),
        "tool": request.tool,
        "zones": list(request.zones),
        "duration_for": request.duration_for,
        "asked": request.reason,
    }


def _approve(tx: Connection, call: PageCall, _: Deed, wanted: str, form: Mapping[str, str]) -> dict[str, Any]:
    request = get_request(tx, wanted, now=call.now)
    item = _of_request(tx, call, request)
    tool = call.policy.tool_of_id(request.tool)
    if tool is None:
        raise GatekeeperError("GK302", "The organisation's catalogue doesn't name this tool any more.")
    given = form.get("duration", "").strip()
    duration_for = narrow_duration(
        asked_for=request.duration_for,
        given_for=parse_duration(given) if given else None,
        max_for=tool.max_duration_for,
    )
    zones = narrow_zones(asked=request.zones, given=chosen(form, "zone-") if form.get("narrow") else None)
    narrowed = duration_for < request.duration_for or set(zones) < set(request.zones)
    return item | {"zones": list(zones), "duration_for": duration_for, "narrowed": narrowed}


def _do_approve(tx: Connection, call: PageCall, item: Item) -> str:
    reviewed = approve_request(
        tx,
        str(item["object"]),
        policy=call.policy,
        reviewer=call.me,
        method=STEP_UP,
        duration=render_duration(item["duration_for"]),
        zones=tuple(item["zones"]),
        reason=str(item["reason"]),
        now=call.now,
    )
    if not reviewed.complete:
        return "Noted: more reviews are needed"
    waiting = sum(grant.state == "waitlisted" for grant in reviewed.grants)
    return "Approved: waits for a seat" if waiting else "Approved"


def _deny(tx: Connection, call: PageCall, _: Deed, wanted: str, form: Mapping[str, str]) -> dict[str, Any]:
    _need_reason(form, "A denial needs a reason: the person who asked will read it.")
    return _of_request(tx, call, get_request(tx, wanted, now=call.now))


def _do_deny(tx: Connection, call: PageCall, item: Item) -> str:
    deny_request(
        tx,
        str(item["object"]),
        policy=call.policy,
        reviewer=call.me,
        method=STEP_UP,
        reason=str(item["reason"]),
        now=call.now,
    )
    return "Denied"


def _of_grant(
    tx: Connection, call: PageCall, _: Deed, wanted: str, form: Mapping[str, str]
) -> dict[str, Any]:
    _need_reason(form, "A reason is needed: the person will read it.")
    grant = get_grant(tx, wanted, now=call.now)
    _check_grant(call, grant)
    return {"name": get_subject(tx, grant.subject).name, "tool": grant.tool, "zones": list(grant.zones)}


def _check_grant(call: PageCall, grant: Grant) -> None:
    if call.has(Role.OPERATOR):
        return
    if not may_act_on_grant(call.policy, call.me, tool=grant.tool, zones=grant.zones, now=call.now):
        raise GatekeeperError("GK409", "There is no such grant.")


def _do_to_grant(act: Callable[..., Grant], words: str) -> Callable[[Connection, PageCall, Item], str]:
    def do(tx: Connection, call: PageCall, item: Item) -> str:
        wanted = str(item["object"])
        _check_grant(call, get_grant(tx, wanted, now=call.now))
        act(tx, wanted, by=call.me, method=STEP_UP, reason=str(item["reason"]), now=call.now)
        return words

    return do


def _stop(_: Connection, call: PageCall, __: Deed, wanted: str, form: Mapping[str, str]) -> dict[str, Any]:
    _need_reason(form, "A reason is needed: everybody who is refused will read it.")
    return {"name": _stopped_name(call, wanted)}


def _stopped_name(call: PageCall, wanted: str) -> str:
    kind, name = _kind_and_name(wanted)
    if kind == "vendor":
        if name not in {tool.vendor for tool in call.policy.tools}:
            raise GatekeeperError("GK302", "The catalogue has no such vendor.")
        return f"everything of {name}"
    tool = call.policy.tool_of_id(name)
    if tool is None:
        raise GatekeeperError("GK302", "The catalogue has no such tool.")
    return tool.name


def _do_stop(tx: Connection, call: PageCall, item: Item) -> str:
    kind, name = _kind_and_name(str(item["object"]))
    stop(tx, kind=kind, name=name, versions="", reason=str(item["reason"]), by=call.me.name, now=call.now)
    _record_stop(tx, call, "tool.stopped", kind=kind, name=name, reason=str(item["reason"]))
    return "Stopped"


def _do_resume_stopped(tx: Connection, call: PageCall, item: Item) -> str:
    kind, name = _kind_and_name(str(item["object"]))
    resume_stopped(tx, kind=kind, name=name, by=call.me.name, now=call.now)
    _record_stop(tx, call, "tool.resumed", kind=kind, name=name, reason=str(item["reason"]))
    return "Goes on"


def _record_stop(tx: Connection, call: PageCall, act: str, *, kind: str, name: str, reason: str) -> None:
    actor, me = actor_of(call.me, method=STEP_UP), call.me.id
    detail, said = {"kind": kind, "versions": ""}, {"reason": reason}
    record(tx, at=call.now, actor=actor, act=act, object=name, detail=detail, said=said, subject=me)


def _kind_and_name(wanted: str) -> tuple[str, str]:
    for prefix in (_TOOL, _VENDOR):
        if wanted.startswith(prefix):
            return prefix[:-1], wanted.removeprefix(prefix)
    raise GatekeeperError("GK100", "Name a tool or a vendor.")


def _of_device(
    tx: Connection, _call: PageCall, _: Deed, wanted: str, _form: Mapping[str, str]
) -> dict[str, Any]:
    device = get_device(tx, wanted)
    return {"name": f"{device.name} of {get_subject(tx, device.subject).name}"}


def _do_revoke_device(tx: Connection, call: PageCall, item: Item) -> str:
    wanted = str(item["object"])
    if not revoke_device(tx, wanted, by=call.me.name, now=call.now):
        raise GatekeeperError("GK408", "The device was revoked already.")
    record(tx, at=call.now, actor=call.me.id, act="device.revoked", object=wanted, detail={"method": STEP_UP})
    return "Revoked"


def _reason(form: Mapping[str, str]) -> str:
    return check_free_text(form.get("reason", "").strip(), what="reason")


def _need_reason(form: Mapping[str, str], words: str) -> None:
    if visible_length(form.get("reason", "")) == 0:
        raise GatekeeperError("GK404", words)


_OPERATORS = (Role.OPERATOR,)
DEEDS: Mapping[str, Deed] = {
    deed.id: deed
    for deed in (
        Deed(
            id="approve",
            words="Approve",
            roles=EVERYONE,
            back="/inbox",
            describe=_approve,
            perform=_do_approve,
        ),
        Deed(id="deny", words="Deny", roles=EVERYONE, back="/inbox", describe=_deny, perform=_do_deny),
        Deed(
            id="revoke",
            words="Revoke",
            roles=REVIEWERS,
            back="/grants",
            describe=_of_grant,
            perform=_do_to_grant(revoke_grant, "Revoked"),
        ),
        Deed(
            id="suspend",
            words="Suspend",
            roles=REVIEWERS,
            back="/grants",
            describe=_of_grant,
            perform=_do_to_grant(suspend_grant, "Suspended"),
        ),
        Deed(
            id="resume",
            words="Resume",
            roles=REVIEWERS,
            back="/grants",
            describe=_of_grant,
            perform=_do_to_grant(resume_grant, "Active again"),
        ),
        Deed(id="stop", words="Stop", roles=_OPERATORS, back="/tools", describe=_stop, perform=_do_stop),
        Deed(
            id="go-on",
            words="Let go on",
            roles=_OPERATORS,
            back="/tools",
            describe=_stop,
            perform=_do_resume_stopped,
        ),
        Deed(
            id="revoke-device",
            words="Revoke",
            roles=_OPERATORS,
            back="/people",
            describe=_of_device,
            perform=_do_revoke_device,
        ),
        Deed(
            id="break-glass",
            words="Break the glass",
            roles=EVERYONE,
            back="/approvals",
            describe=describe_emergency,
            perform=do_emergency,
        ),
    )
}
