"""Where browsers sign in: pages and forms beside the API, so that its document doesn't hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gatekeeper.service.web import authorize, sign_in
from gatekeeper.service.web.auth import Auth
from gatekeeper.service.web.operations import Operation

if TYPE_CHECKING:
    from gatekeeper.service.web.operations import Handler


def _page(id_: str, method: str, path: str, handler: Handler, auth: Auth) -> Operation:
    return Operation(id=id_, method=method, path=path, handler=handler, auth=auth, words="", answers=())


SIGN_IN_PAGES: tuple[Operation, ...] = (
    _page("signIn", "GET", "/sign-in", sign_in.show, Auth.PUBLIC),
    _page("signInByCode", "POST", "/sign-in/code", sign_in.by_code, Auth.PUBLIC),
    _page("signInAtProvider", "GET", "/sign-in/provider", sign_in.to_provider, Auth.PUBLIC),
    _page("signInReturn", "GET", sign_in.RETURN, sign_in.from_provider, Auth.PUBLIC),
    _page(
        "backchannelLogout",
        "POST",
        "/sign-in/backchannel-logout",
        sign_in.backchannel_logout,
        Auth.PUBLIC,
    ),
    _page("signOut", "POST", "/sign-out", sign_in.sign_out, Auth.SESSION),
    _page("authorize", "GET", authorize.PATH, authorize.ask, Auth.SESSION),
    _page("authorizeDecided", "POST", authorize.PATH, authorize.decide, Auth.SESSION),
    _page("authorizedCode", "GET", authorize.CODE_PATH, authorize.show_code, Auth.PUBLIC),
    _page("device", "GET", authorize.DEVICE_PATH, authorize.ask_device, Auth.SESSION),
    _page("deviceDecided", "POST", authorize.DEVICE_PATH, authorize.decide_device, Auth.SESSION),
)
