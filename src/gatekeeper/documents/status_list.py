"""The Token Status List (`statuslist+jwt`): the class, `parse_`, `render_`, and the packing of its bits.

IETF draft-ietf-oauth-status-list: statuses of 1, 2, 4 or 8 bits, the first in the least significant
bits of the first byte, deflated with zlib. Trust in the bytes is earned in `trust.chain`. Inflating is
capped by what the list may hold: a megabyte of zlib can otherwise become a gigabyte of zeros.
"""

from __future__ import annotations

import zlib

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import b64url_decode, b64url_encode, integer_of, object_of, text_of
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from gatekeeper.trust.published import VerifiedStatus

BITS = 2
ENTRIES = 2**17
TTL = 300
VALID, INVALID, SUSPENDED = 0, 1, 2
_WIDTHS = (1, 2, 4, 8)


def uri_of(issuer: str, number: int) -> str:
    """Return the address of a list, which is also its subject."""
    return f"{issuer}/status/{number}"


class StatusList(Value):
    """One list. `packed` holds the statuses inflated; times are Unix seconds, `ttl` seconds."""

    uri: str
    issued_at: int
    expires_at: int
    ttl: int
    bits: int
    packed: bytes

    def status_at(self, index: int) -> int:
        """Return the status at `index`.

        Raises:
            Malformed: the index is outside the list, which a verifier takes as a refusal (draft §8.3).
        """
        per_byte = 8 // self.bits
        if index < 0 or index >= len(self.packed) * per_byte:
            raise Malformed("the index is outside the status list")
        shift = (index % per_byte) * self.bits
        return self.packed[index // per_byte] >> shift & ((1 << self.bits) - 1)


def pack(statuses: Iterable[tuple[int, int]], *, bits: int, entries: int) -> bytes:
    """Pack (index, status) pairs; every index that isn't named is 0, valid.

    A status or index that doesn't fit raises `RuntimeError`: the lists are ours.
    """
    _check_bits(bits)
    packed = bytearray(entries * bits // 8)
    per_byte = 8 // bits
    for index, status in statuses:
        if not (0 <= index < entries and 0 <= status < 1 << bits):
            raise RuntimeError("a status or its index does not fit the list")
        packed[index // per_byte] |= status << (index % per_byte) * bits
    return bytes(packed)


def deflate(packed: bytes) -> str:
    """Return `lst`: the packed statuses in zlib's format at its highest level, as base64url (draft §4.1)."""
    return b64url_encode(zlib.compress(packed, 9))


def inflate(lst: str, *, bits: int, max_entries: int) -> bytes:
    """Inflate a hostile `lst` of at most `max_entries` statuses.

    Raises:
        Malformed: not base64url, not exactly one zlib stream, or more than `max_entries` statuses.
    """
    if bits not in _WIDTHS:
        raise Malformed("bits is not 1, 2, 4 or 8")
    cap = max_entries * bits // 8
    stream = zlib.decompressobj()
    try:
        packed = stream.decompress(b64url_decode(lst), cap + 1)
    except zlib.error:
        raise Malformed("lst is no zlib stream") from None
    if len(packed) > cap or not stream.eof or stream.unused_data:
        raise Malformed("lst is longer than a status list may be, or cut")
    return packed


def parse_status_list(verified: VerifiedStatus) -> StatusList:
    """Type the claims of a verified status list of at most 2^17 entries.

    Raises:
        TrustError: GK502, a required claim is missing or has the wrong shape.
    """
    claims = verified.claims
    try:
        members = object_of(claims, "status_list")
        bits = integer_of(members, "bits")
        return StatusList(
            uri=text_of(claims, "sub"),
            issued_at=integer_of(claims, "iat"),
            expires_at=integer_of(claims, "exp"),
            ttl=integer_of(claims, "ttl"),
            bits=bits,
            packed=inflate(text_of(members, "lst", max_chars=ENTRIES), bits=bits, max_entries=ENTRIES),
        )
    except Malformed as error:
        raise TrustError("GK502", f"status list: {error.reason}") from error


def render_status_list(status_list: StatusList) -> dict[str, object]:
    """Render the claims that `parse_status_list` reads back as the same list."""
    _check_bits(status_list.bits)
    return {
        "sub": status_list.uri,
        "iat": status_list.issued_at,
        "exp": status_list.expires_at,
        "ttl": status_list.ttl,
        "status_list": {"bits": status_list.bits, "lst": deflate(status_list.packed)},
    }


def _check_bits(bits: int) -> None:
    if bits not in _WIDTHS:
        raise RuntimeError("a status has 1, 2, 4 or 8 bits")
