"""Strict JSON and base64url for bytes that may be hostile, with nothing imported.

Rules (RFC 8725 and the strict profile of the protocol): UTF-8 only, no duplicate members, no
floats, bounded size, depth and digits, no lone surrogates, nothing after the value; base64url is
canonical and unpadded. What a document means is left to `documents`.
"""

from gatekeeper.errors import Malformed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

MAX_TOKEN_BYTES = 16 * 1024
MAX_DEPTH = 16
MAX_DIGITS = 20  # what a 64-bit number needs: inodes and nanoseconds stand in the state

_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_HEX = "0123456789abcdefABCDEF"
_DIGITS = "0123456789"
_ODD = bytes([*range(32), 0x5C])
_MARKS = frozenset(":,{}[] \t\n\r")
_COMMON = frozenset((":", ",", ":{", "},", ":[", "],", "{", "}"))
_WORDS: "dict[str, object]" = {"true": True, "false": False, "null": None}

# What may come next, in this order: a value; the first value of an array, or its end; a name; the first name of an
# object, or its end; the colon after a name; the comma after a value, or the end of what holds it.
_VALUE, _FIRST_VALUE, _NAME, _FIRST_NAME, _COLON, _MORE = range(6)


def parse_json(data: bytes, *, max_bytes: int) -> object:
    """Parse one JSON value from hostile bytes.

    Raises:
        Malformed: the bytes are longer than `max_bytes`, not UTF-8, not JSON, or outside the rules above.
    """
    if len(data) > max_bytes:
        raise Malformed(f"longer than {max_bytes} bytes")
    data = data.strip(b" \t\n\r")  # our own files end with a line
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("not UTF-8") from None
    # Nearly every document: no escape and no control character anywhere, so that each string ends at its next quote.
    plain = len(data.translate(None, _ODD)) == len(data)
    pieces = text.split('"') if plain else _pieces(text)
    if len(pieces) % 2 == 0:
        raise Malformed("a string does not end")
    return _built(pieces)


def parse_object(data: bytes, *, max_bytes: int) -> "dict[str, object]":
    """Parse one JSON object from hostile bytes. Raises `Malformed` as `parse_json` does."""
    value = parse_json(data, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def _built(pieces: "list[str]") -> object:  # noqa: C901, PLR0912 - one loop, since a launch reads some hundred strings
    """Build the value of what the quotes divide: every second piece is a string, the others hold marks and words."""
    whole: list[object] = []  # its one item is the value
    inner: list[object] | dict[str, object] = whole
    outer: list[list[object] | dict[str, object]] = []
    want, name = _VALUE, ""
    for number, piece in enumerate(pieces):
        if number & 1:
            if want <= _FIRST_VALUE:
                if type(inner) is dict:
                    inner[name] = piece
                else:
                    inner.append(piece)  # type: ignore[union-attr]
                want = _MORE
            elif want <= _FIRST_NAME:
                if piece in inner:
                    raise Malformed("a member name stands twice")
                name, want = piece, _COLON
            else:
                raise Malformed("a string stands where none may")
            continue
        for mark in piece if piece in _COMMON else _tokens(piece):
            if mark == ":":
                if want != _COLON:
                    raise Malformed("a colon stands where none may")
                want = _VALUE
            elif mark == ",":
                if want != _MORE or not outer:
                    raise Malformed("a comma stands where none may")
                want = _NAME if type(inner) is dict else _VALUE
            elif mark in ("}", "]"):
                first = _FIRST_NAME if mark == "}" else _FIRST_VALUE
                if not outer or (type(inner) is dict) != (mark == "}") or want not in (_MORE, first):
                    raise Malformed("an object or an array ends where it may not")
                inner, want = outer.pop(), _MORE
            elif mark not in " \t\n\r":
                if want > _FIRST_VALUE:
                    raise Malformed("a value stands where none may")
                item: Any = {} if mark == "{" else [] if mark == "[" else _scalar(mark)
                if type(inner) is dict:
                    inner[name] = item
                else:
                    inner.append(item)  # type: ignore[union-attr]
                want = _MORE
                if mark in ("{", "["):
                    if len(outer) >= MAX_DEPTH:
                        raise Malformed(f"nested deeper than {MAX_DEPTH}")
                    outer.append(inner)
                    inner, want = item, _FIRST_NAME if mark == "{" else _FIRST_VALUE
    if outer or want != _MORE:
        raise Malformed("JSON ends too early")
    return whole[0]


def _tokens(piece: str) -> "list[str]":
    """Divide what stands between two strings into marks and words."""
    tokens = [""]
    for char in piece:
        if char in _MARKS:
            tokens += [char, ""]
        else:
            tokens[-1] += char
    return [mark for mark in tokens if mark]


def _scalar(word: str) -> object:
    if word in _WORDS:
        return _WORDS[word]
    digits = word.removeprefix("-")
    if not 0 < len(digits) <= MAX_DIGITS or digits.strip(_DIGITS) or (digits[0] == "0" and len(word) > 1):
        raise Malformed("not a plain integer")
    return int(word)


def _pieces(text: str) -> "list[str]":
    """Divide a text at its quotes, as `split` does where no string holds an escape or a control character."""
    pieces: list[str] = []
    at = 0
    while True:
        quote = text.find('"', at)
        if quote < 0:
            return [*pieces, text[at:]]
        string, end = _string(text, quote + 1)
        pieces += [text[at:quote], string]
        at = end


def _string(text: str, at: int) -> "tuple[str, int]":
    parts: list[str] = []
    end = text.find('"', at)
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


def _escape(text: str, at: int) -> "tuple[str, int]":
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


def render_json(value: object) -> bytes:
    """Render a value of JSON types compactly, in the order given. `parse_json` reads it back unchanged.

    Misuse raises: `TypeError` for any other type (a float, a member name that is no text), `ValueError` for
    what `parse_json` would refuse (an integer of too many digits, a lone surrogate, too deep a nesting).
    """
    out: list[str] = []
    _render(value, out.append, 0)
    return "".join(out).encode("utf-8")


def _render(value: object, put: "Callable[[str], None]", depth: int) -> None:
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


def _render_members(members: "Mapping[str, object]", put: "Callable[[str], None]", depth: int) -> None:
    mark = "{"
    for name, member in members.items():
        if not isinstance(name, str):
            raise TypeError(f"{type(name).__name__} is no member name")
        put(mark + _quoted(name) + ":")
        _render(member, put, depth)
        mark = ","
    put("{}" if mark == "{" else "}")


def _render_items(items: "Sequence[object]", put: "Callable[[str], None]", depth: int) -> None:
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


# base64url by way of octal numbers: six bits are two octal digits, and Python reads and writes numbers of such a base
# in one pass. A byte whose hexadecimal digits are those two stands for each character: 00 for "A", 77 for "_".
# (`binascii` is a library to find and load on every start.)
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_OCTAL = bytes([high * 16 + low for high in range(8) for low in range(8)])
_TO_OCTAL = bytes.maketrans(_ALPHABET, _OCTAL)
_FROM_OCTAL = bytes.maketrans(_OCTAL, _ALPHABET)


def b64url_encode(data: bytes) -> str:
    """Encode as unpadded base64url (RFC 7515 §2)."""
    missing = -len(data) % 3
    number = int.from_bytes(data, "big") << (8 * missing)
    chars = (len(data) + missing) // 3 * 4
    text = bytes.fromhex(f"{number:0{2 * chars}o}") if chars else b""
    return text.translate(_FROM_OCTAL)[: chars - missing].decode("ascii")


def b64url_decode(text: str) -> bytes:
    """Decode unpadded, canonical base64url from hostile text.

    Canonical: bits of the last character that no byte holds are zero. Lenient decoders take `QR` for `QQ`, which
    would give one signed token several spellings.

    Raises:
        Malformed: any character outside the alphabet, padding, or a spelling that is not canonical.
    """
    chars = text.encode("ascii", "replace")
    if chars.translate(None, _ALPHABET):
        raise Malformed("not canonical base64url")
    size, spare = divmod(6 * len(chars), 8)
    number = int(chars.translate(_TO_OCTAL).hex() or "0", 8)
    if spare > 4 or number & ((1 << spare) - 1):
        raise Malformed("not canonical base64url")
    return (number >> spare).to_bytes(size, "big")


# Typed reading of parsed members. Each raises `Malformed` naming the member, never its value.


def text_of(members: "Mapping[str, object]", name: str, *, max_chars: int = 1024) -> str:
    """Return a required, non-empty text member."""
    value = members.get(name)
    if not isinstance(value, str) or not value or len(value) > max_chars:
        raise Malformed(f"{name} is missing or no text")
    return value


def optional_text(members: "Mapping[str, object]", name: str, *, max_chars: int = 4096) -> str:
    """Return a text member, or "" where it is absent or null."""
    value = members.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > max_chars:
        raise Malformed(f"{name} is no text")
    return value


def integer_of(members: "Mapping[str, object]", name: str) -> int:
    """Return a required integer member that is not negative."""
    value = members.get(name)
    if type(value) is not int or value < 0:
        raise Malformed(f"{name} is missing or no whole number")
    return value


def optional_integer(members: "Mapping[str, object]", name: str) -> "int | None":
    """Return an integer member that is not negative, or None where it is absent or null."""
    return None if members.get(name) is None else integer_of(members, name)


def texts_of(members: "Mapping[str, object]", name: str) -> "tuple[str, ...]":
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


def object_of(members: "Mapping[str, object]", name: str) -> "dict[str, object]":
    """Return a required object member."""
    value = members.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} is missing or no object")
    return value


def objects_of(members: "Mapping[str, object]", name: str) -> "tuple[dict[str, object], ...]":
    """Return an array of objects; absent counts as empty."""
    value = members.get(name)
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(f"{name} is no list of objects")
    return _all_objects(value, name)


def _all_objects(items: "Iterable[object]", name: str) -> "tuple[dict[str, object], ...]":
    objects = []
    for item in items:
        if not isinstance(item, dict):
            raise Malformed(f"{name} is no list of objects")
        objects.append(item)
    return tuple(objects)


def text_map_of(members: "Mapping[str, object]", name: str) -> "dict[str, str]":
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
