"""The pages' files: served from memory under an address that holds their digest, so that they are kept for ever."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import TYPE_CHECKING

from starlette.responses import Response

from gatekeeper.service.web.problems import HttpFault

if TYPE_CHECKING:
    from gatekeeper.service.web.calls import Call

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
PATH = "/assets/{digest}/{name}"


def _load() -> dict[str, tuple[str, bytes]]:
    """Return digest and contents of every file that has a media type here."""
    files: dict[str, tuple[str, bytes]] = {}
    for file in (resources.files(__package__ or "") / "static").iterdir():
        if any(file.name.endswith(ending) for ending in _TYPES):
            content = file.read_bytes()
            files[file.name] = (hashlib.sha256(content).hexdigest()[:16], content)
    return files


_FILES = _load()


def asset(name: str) -> str:
    """Return the address of a file; an unknown one is a bug in a template."""
    return f"/assets/{_FILES[name][0]}/{name}"


async def serve_asset(call: Call) -> Response:
    """Answer with a file. Another version's digest is 404: an old page must not get a new page's script.

    Raises:
        HttpFault: 404.
    """
    name = str(call.request.path_params["name"])
    digest, content = _FILES.get(name, ("", b""))
    if not digest or call.request.path_params["digest"] != digest:
        raise HttpFault(404, "There is nothing at this address.")
    return Response(content, headers=_FOR_EVER, media_type=_TYPES[name[name.rindex(".") :]])
