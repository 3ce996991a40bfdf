"""Strict JSON and base64url for bytes that may be hostile, with nothing imported but `binascii`.

Rules (RFC 8725 and the strict profile of the protocol): UTF-8 only, no duplicate members, no
floats, bounded size, depth and digits, no lone surrogates, nothing after the value; base64url is
canonical and unpadded. What a document means is left to `documents`.
"""

from __future__ import annotations

from binascii import Error as _BinasciiError
from binascii import a2b_base64, b2a_base64

from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MAX_TOKEN_BYTES = 16 * 1024
MAX_DEPTH = 16
MAX_DIGITS = 20  # what a 64-bit number needs: inodes and nanoseconds stand in the state

_WHITE = " \t\n\r"
_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = "0123456789abcdefABCDEF"
_WORDS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}


def parse_json(data: bytes, *, max_bytes: int) -> object:
    """Parse one JSON value from hostile bytes.

    Raises:
        Malformed: the bytes are longer than `max_bytes`, not UTF-8, not JSON, or outside the rules above.
    """
    if len(data) > max_bytes:
        raise Malformed(f"longer than {max_bytes} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    value, at = _value(text, _skip(text, 0), 0)
    if _skip(text, at) != len(text):
        raise Malformed("something follows the JSON value")
    return value


def parse_object(data: bytes, *, max_bytes: int) -> dict[str, object]:
    """Parse one JSON object from hostile bytes. Raises `Malformed` as `parse_json` does."""
    value = parse_json(data, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _WHITE:
        at += 1
    return at


def _value(text: str, at: int, depth: int) -> tuple[object, int]:
    first = text[at : at + 1]
    if first == '"':
        return _string(text, at + 1)
    if first in ("{", "["):
        if depth >= MAX_DEPTH:
            raise Malformed(f"nested deeper than {MAX_DEPTH}")
        return (_object if first == "{" else _array)(text, at + 1, depth + 1)
    if first in _WORDS:
        word, value = _WORDS[first]
        if text.startswith(word, at):
            return value, at + len(word)
    if first and first in "-0123456789":
        return _integer(text, at)
    raise Malformed("not JSON" if first else "JSON ends too early")


def _mark(text: str, at: int) -> tuple[str, int]:
    """Return the next character that isn't white and where it stands, "" at the end."""
    char = text[at : at + 1]
    if char in _WHITE:
        at = _skip(text, at)
        char = text[at : at + 1]
    return char, at


def _object(text: str, at: int, depth: int) -> tuple[dict[str, object], int]:
    members: dict[str, object] = {}
    mark, at = _mark(text, at)
    if mark == "}":
        return members, at + 1
    while True:
        if mark != '"':
            raise Malformed("a member name is expected")
        name, at = _string(text, at + 1)
        if name in members:
            raise Malformed("a member name stands twice")
        mark, at = _mark(text, at)
        if mark != ":":
            raise Malformed("a colon is expected")
        at += 1
        members[name], at = _value(text, _skip(text, at) if text[at : at + 1] in _WHITE else at, depth)
        mark, at = _mark(text, at)
        if mark == "}":
            return members, at + 1
        if mark != ",":
            raise Malformed("a comma is expected")
        mark, at = _mark(text, at + 1)


def _array(text: str, at: int, depth: int) -> tuple[list[object], int]:
    items: list[object] = []
    mark, at = _mark(text, at)
    if mark == "]":
        return items, at + 1
    while True:
        item, at = _value(text, at, depth)
        items.append(item)
        mark, at = _mark(text, at)
        if mark == "]":
            return items, at + 1
        if mark != ",":
            raise Malformed("a comma is expected")
        _, at = _mark(text, at + 1)


def _string(text: str, at: int) -> tuple[str, int]:
    end = text.find('"', at)
    plain = text[at:end]
    # Nearly every string. What is printable holds no control character; the rest is looked at closely.
    if end >= 0 and "\\" not in plain and plain.isprintable():
        return plain, end + 1
    return _odd_string(text, at, end)


def _odd_string(text: str, at: int, end: int) -> tuple[str, int]:
    parts: list[str] = []
    while True:
        if 0 <= end < at:  # looked for once, not once an escape: that would be quadratic
            end = text.find('"', at)
        if end < 0:
            raise Malformed("a string does not end")
        slash = text.find("\\", at, end)
        stop = end if slash < 0 else slash
        part = text[at:stop]
        if not part.isprintable() and min(part) < " ":
            raise Malformed("a control character in a string")
        parts.append(part)
        if slash < 0:
            return "".join(parts), end + 1
        char, at = _escape(text, slash + 1)
        parts.append(char)


def _escape(text: str, at: int) -> tuple[str, int]:
    mark = text[at : at + 1]
    if mark in _ESCAPES:
        return _ESCAPES[mark], at + 1
    if mark != "u":
        raise Malformed("an unknown escape")
    high = _four_hex(text, at + 1)
    if not 0xD800 <= high <= 0xDFFF:
        return chr(high), at + 5
    if high < 0xDC00 and text[at + 5 : at + 7] == "\\u":
        low = _four_hex(text, at + 7)
        if 0xDC00 <= low <= 0xDFFF:
            return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)), at + 11
    raise Malformed("a lone surrogate")


def _four_hex(text: str, at: int) -> int:
    digits = text[at : at + 4]
    if len(digits) != 4 or any(d not in _HEX for d in digits):
        raise Malformed("an unknown escape")
    return int(digits, 16)


def _integer(text: str, at: int) -> tuple[int, int]:
    start = at
    if text[at] == "-":
        at += 1
    first = at
    while text[at : at + 1] and text[at] in "0123456789":
        at += 1
    if at == first or at - first > MAX_DIGITS or (text[first] == "0" and at - start > 1):
        raise Malformed("not a plain integer")
    if text[at : at + 1] and text[at] in ".eE":
        raise Malformed("not an integer")
    return int(text[start:at]), at


def render_json(value: object) -> bytes:
    """Render a value of JSON types compactly, in the order given. `parse_json` reads it back unchanged.

    Misuse raises: `TypeError` for any other type (a float, a member name that is no text), `ValueError` for
    what `parse_json` would refuse (an integer of too many digits, a lone surrogate, too deep a nesting).
    """
    out: list[str] = []
    _render(value, out.append, 0)
    return "".join(out).encode("utf-8")


def _render(value: object, put: Callable[[str], None], depth: int) -> None:
    if value is None or value is True or value is False:
        put("null" if value is None else "true" if value else "false")
    elif isinstance(value, str):
        put(_quoted(value))
    elif isinstance(value, int):
        put(_digits(value))
    elif isinstance(value, dict):
        _render_members(value, put, _deeper(depth))
    elif isinstance(value, (list, tuple)):
        _render_items(value, put, _deeper(depth))
    else:
        raise TypeError(f"{type(value).__name__} is no JSON type")


def _deeper(depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH}")
    return depth + 1


def _digits(number: int) -> str:
    if abs(number) >= 10**MAX_DIGITS:
        raise ValueError(f"an integer of more than {MAX_DIGITS} digits")
    return str(int(number))


def _render_members(members: Mapping[str, object], put: Callable[[str], None], depth: int) -> None:
    mark = "{"
    for name, member in members.items():
        if not isinstance(name, str):
            raise TypeError(f"{type(name).__name__} is no member name")
        put(mark + _quoted(name) + ":")
        _render(member, put, depth)
        mark = ","
    put("{}" if mark == "{" else "}")


def _render_items(items: Sequence[object], put: Callable[[str], None], depth: int) -> None:
    mark = "["
    for item in items:
        put(mark)
        _render(item, put, depth)
        mark = ","
    put("[]" if mark == "[" else "]")


def _quoted(text: str) -> str:
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    if plain and min(plain) < " ":
        plain = "".join(c if c >= " " else f"\\u{ord(c):04x}" for c in plain)
    return f'"{plain}"'


def b64url_encode(data: bytes) -> str:
    """Encode as unpadded base64url (RFC 7515 §2)."""
    text = b2a_base64(data, newline=False).decode("ascii")
    return text.rstrip("=").replace("+", "-").replace("/", "_")


def b64url_decode(text: str) -> bytes:
    """Decode unpadded, canonical base64url from hostile text.

    CPython's strict mode accepts trailing bits that are not zero (`QR==`), which would give one
    signed token several spellings; encoding again and comparing closes that.

    Raises:
        Malformed: any character outside the alphabet, padding, or a spelling that is not canonical.
    """
    if "+" in text or "/" in text or "=" in text or not text.isascii():
        raise Malformed("not canonical base64url")
    standard = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
    try:
        data = a2b_base64(standard, strict_mode=True)
    except (_BinasciiError, ValueError):
        raise Malformed("not canonical base64url") from None
    if b64url_encode(data) != text:
        raise Malformed("not canonical base64url")
    return data


# Typed reading of parsed members. Each raises `Malformed` naming the member, never its value.


def text_of(members: Mapping[str, object], name: str, *, max_chars: int = 1024) -> str:
    """Return a required, non-empty text member."""
    value = members.get(name)
    if not isinstance(value, str) or not value or len(value) > max_chars:
        raise Malformed(f"{name} is missing or no text")
    return value


def optional_text(members: Mapping[str, object], name: str, *, max_chars: int = 4096) -> str:
    """Return a text member, or "" where it is absent or null."""
    value = members.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > max_chars:
        raise Malformed(f"{name} is no text")
    return value


def integer_of(members: Mapping[str, object], name: str) -> int:
    """Return a required integer member that is not negative."""
    value = members.get(name)
    if type(value) is not int or value < 0:
        raise Malformed(f"{name} is missing or no whole number")
    return value


def optional_integer(members: Mapping[str, object], name: str) -> int | None:
    """Return an integer member that is not negative, or None where it is absent or null."""
    return None if members.get(name) is None else integer_of(members, name)


def texts_of(members: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Return an array of texts; absent counts as empty."""
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(f"{name} is no list of texts")
    texts = tuple(item for item in value if isinstance(item, str))
    if len(texts) != len(value):
        raise Malformed(f"{name} is no list of texts")
    return texts


def object_of(members: Mapping[str, object], name: str) -> dict[str, object]:
    """Return a required object member."""
    value = members.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} is missing or no object")
    return value


def objects_of(members: Mapping[str, object], name: str) -> tuple[dict[str, object], ...]:
    """Return an array of objects; absent counts as empty."""
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(f"{name} is no list of objects")
    return _all_objects(value, name)


def _all_objects(items: Iterable[object], name: str) -> tuple[dict[str, object], ...]:
    objects = []
    for item in items:
        if not isinstance(item, dict):
            raise Malformed(f"{name} is no list of objects")
        objects.append(item)
    return tuple(objects)


def text_map_of(members: Mapping[str, object], name: str) -> dict[str, str]:
    """Return an object whose members are all texts; absent counts as empty."""
    value = members.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Malformed(f"{name} is no object of texts")
    texts = {key: item for key, item in value.items() if isinstance(item, str)}
    if len(texts) != len(value):
        raise Malformed(f"{name} is no object of texts")
    return texts
