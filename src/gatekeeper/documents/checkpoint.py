"""The signed head of the audit log: a C2SP checkpoint (origin, size, root) in a C2SP signed note.

A note is hostile until one of the log keys of the root document verifies it. Signatures of others (witnesses) may
stand beside the log's own and are passed over. Pure; the Ed25519 check comes in as `verify`.
"""

from __future__ import annotations

from binascii import Error as _BinasciiError
from binascii import a2b_base64, b2a_base64
from hashlib import sha256

from gatekeeper.errors import Malformed, TrustError
from gatekeeper.values import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from gatekeeper.trust.root_documents import LogPublicKey

    Verify = Callable[[LogPublicKey, bytes, bytes], bool]
    Sign = Callable[[bytes], bytes]

MAX_NOTE_BYTES = 8 * 1024
_ED25519 = b"\x01"  # the signature type of C2SP signed-note
_DASH = "\u2014 "
_MAX_SIGNATURES = 16


class Checkpoint(Value):
    """The log `origin` had `size` entries, under this root hash (32 bytes). `note` is the text that says so, signed."""

    origin: str
    size: int
    root: bytes
    note: str


def render_checkpoint(*, origin: str, size: int, root: bytes, key: LogPublicKey, sign: Sign) -> str:
    """Render and sign a checkpoint. A name that no note can carry is a bug of the ceremony's."""
    if not is_origin(origin):
        raise ValueError("an origin has no spaces and no plus")
    body = f"{origin}\n{size}\n{_encode(root)}\n"
    signature = _encode(key_id(origin, key) + sign(body.encode("utf-8")))
    return f"{body}\n{_DASH}{origin} {signature}\n"


def parse_checkpoint(note: str, *, origin: str, keys: Sequence[LogPublicKey], verify: Verify) -> Checkpoint:
    """Return the checkpoint that a hostile note holds, signed by one of the log's `keys` under its `origin`.

    Raises:
        TrustError: GK501, no key of the log signed it, or it is no checkpoint; GK502, it is another log's.
    """
    try:
        checkpoint, signatures = _parse(note)
    except Malformed as error:
        raise TrustError("GK501", f"The log's checkpoint can't be used: {error.reason}.") from error
    if checkpoint.origin != origin:
        raise TrustError("GK502", "The checkpoint is another log's.")
    body = note[: note.rindex("\n\n") + 1].encode("utf-8")
    for key in keys:
        known = key_id(origin, key)
        for name, signature in signatures:
            if name == origin and signature[:4] == known and verify(key, body, signature[4:]):
                return checkpoint
    raise TrustError("GK501", "No key of the log has signed the checkpoint.")


def peek_checkpoint(note: str) -> Checkpoint:
    """Return what a hostile note claims, its signatures not verified. Raises `Malformed`."""
    return _parse(note)[0]


def key_id(name: str, key: LogPublicKey) -> bytes:
    """Return the four bytes by which a signature line names its key (C2SP signed-note)."""
    return sha256(name.encode("utf-8") + b"\n" + _ED25519 + key.x).digest()[:4]


def verifier_key(name: str, key: LogPublicKey) -> str:
    """Render the key as other tools of transparency logs take it (`name+id+key`)."""
    return f"{name}+{key_id(name, key).hex()}+{_encode(_ED25519 + key.x)}"


def is_origin(name: str) -> bool:
    """Say whether a note can carry this name."""
    return (
        bool(name)
        and len(name) <= 256
        and name.isprintable()
        and not any(c in " +" or c.isspace() for c in name)
    )


def _parse(note: str) -> tuple[Checkpoint, list[tuple[str, bytes]]]:
    if len(note) > MAX_NOTE_BYTES or "\n\n" not in note or not note.endswith("\n"):
        raise Malformed("it is no signed note")
    if any(char < " " and char != "\n" for char in note):
        raise Malformed("it holds control characters")
    at = note.rindex("\n\n")
    lines, signed = note[:at].split("\n"), note[at + 2 : -1].split("\n")
    if len(lines) < 3 or not is_origin(lines[0]) or not all(lines):
        raise Malformed("it is no checkpoint")
    root = _decode(lines[2])
    if len(root) != 32:
        raise Malformed("its root is no hash")
    if len(signed) > _MAX_SIGNATURES:
        raise Malformed("it has too many signatures")
    checkpoint = Checkpoint(origin=lines[0], size=_size(lines[1]), root=root, note=note)
    return checkpoint, [_signature(line) for line in signed]


def _signature(line: str) -> tuple[str, bytes]:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not is_origin(name):
        raise Malformed("a signature line is none")
    signature = _decode(encoded)
    if len(signature) < 5:
        raise Malformed("a signature is too short")
    return name, signature


def _size(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18 or (text[0] == "0" and text != "0"):
        raise Malformed("its size is no number")
    return int(text)


def _encode(data: bytes) -> str:
    return b2a_base64(data, newline=False).decode("ascii")


def _decode(text: str) -> bytes:
    try:
        data = a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, _BinasciiError, ValueError):
        raise Malformed("it holds what is no base64") from None
    if _encode(data) != text:
        raise Malformed("it holds base64 that is not canonical")
    return data
