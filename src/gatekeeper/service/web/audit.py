"""The audit log over HTTP, as C2SP tlog-tiles lays it out: checkpoint, tiles, entries, and proofs ready made.

Hashes and heads are public, so that anybody can be a witness; entries hold ids alone, and are for enrolled devices.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

from starlette.responses import Response

from gatekeeper.documents.audit_entry import render_audit_entry
from gatekeeper.errors import GatekeeperError
from gatekeeper.service.audit.checkpoints import latest_checkpoint
from gatekeeper.service.audit.tree import WIDTH, leaves, load_tile, node_of, tree_of
from gatekeeper.service.web.answers import answer_document, answer_json
from gatekeeper.service.web.problems import HttpFault
from gatekeeper.strict import b64url_encode
from gatekeeper.trust.merkle import HASH_BYTES, consistency_proof, inclusion_proof, root_at

if TYPE_CHECKING:
    from gatekeeper.service.web.calls import Call

_NUMBER = re.compile(r"((?:x[0-9]{3}/){0,5})([0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")
_MAX_DIGITS = 18
_FOR_EVER = "public, max-age=31536000, immutable"
_MAX_LEVEL = 7


async def checkpoint(call: Call) -> Response:
    """Answer with the newest signed head."""
    with call.service.store.read() as tx:
        note = latest_checkpoint(tx)
    if note is None:
        raise HttpFault(404, "The log has no checkpoint yet.")
    return answer_document(
        call.request,
        note,
        media_type="text/plain; charset=utf-8",
        etag=f'"{sha256(note).hexdigest()[:32]}"',
        cache_control="no-cache",
    )


async def tile(call: Call) -> Response:
    """Answer with the hashes of a tile: `{L}/{N}`, or `{L}/{N}.p/{W}` for the first W of them."""
    level = str(call.request.path_params["level"])
    if not re.fullmatch(r"[0-9]|[1-5][0-9]|6[0-3]", level) or int(level) > _MAX_LEVEL:
        raise _nothing()
    number, width = _number_of(call)
    with call.service.store.read() as tx:
        data = load_tile(tx, int(level), number)
    wanted = (width or WIDTH) * HASH_BYTES
    if len(data) < wanted:
        raise _nothing()
    return _binary(data[:wanted])


async def entries(call: Call) -> Response:
    """Answer with a bundle of entries, each behind its length in two bytes."""
    number, width = _number_of(call)
    with call.service.store.read() as tx:
        found = leaves(tx, start=number * WIDTH, count=width or WIDTH)
    if len(found) < (width or WIDTH):
        raise _nothing()
    rendered = [render_audit_entry(entry) for _, entry in found]
    return _binary(b"".join(len(one).to_bytes(2, "big") + one for one in rendered))


async def proof(call: Call) -> Response:
    """Answer with the proof that leaf `index` stands in the tree, or that the tree grew from that of `since` leaves.

    Raises:
        GatekeeperError: GK100, neither or both are named, or no such trees.
    """
    query = call.request.query_params
    if ("index" in query) == ("since" in query):
        raise GatekeeperError("GK100", "Name index or since, and not both.")
    with call.service.store.read() as tx:
        newest = tree_of(tx).size
        size = _whole(query.get("size", str(newest)))
        if size > newest:
            raise HttpFault(404, "The log isn't that long.")
        node = node_of(tx)
        try:
            if "index" in query:
                index = _whole(query["index"])
                members: dict[str, object] = {"index": index}
                hashes = inclusion_proof(index, size, node)
            else:
                since = _whole(query["since"])
                members = {"since": since}
                hashes = consistency_proof(since, size, node)
        except ValueError as error:
            raise GatekeeperError("GK100", f"There is {error}.") from error
        root = root_at(size, node)
    return answer_json(
        {
            **members,
            "size": size,
            "root": b64url_encode(root),
            "proof": [b64url_encode(one) for one in hashes],
        }
    )


def _number_of(call: Call) -> tuple[int, int]:
    """Read `x001/x234/067.p/8` (C2SP tlog-tiles): the tile's number, and how many of it (0 for all)."""
    match = _NUMBER.fullmatch(str(call.request.path_params["number"]))
    if match is None:
        raise _nothing()
    groups = match[1].replace("x", "").split("/")[:-1]
    # One number has one path: none is padded with another group of zeros.
    if groups and groups[0] == "000":
        raise _nothing()
    width = int(match[3] or 0)
    if width >= WIDTH:
        raise _nothing()
    return int("".join((*groups, match[2]))), width


def _whole(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > _MAX_DIGITS:
        raise GatekeeperError("GK100", "index, since and size are whole numbers.")
    return int(text)


def _binary(data: bytes) -> Response:
    return Response(data, media_type="application/octet-stream", headers={"cache-control": _FOR_EVER})


def _nothing() -> HttpFault:
    return HttpFault(404, "The log has no such tile, or not yet as many in it.")
