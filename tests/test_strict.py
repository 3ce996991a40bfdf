"""Strict JSON and base64url: what is accepted means exactly one thing, and has (for base64url) one spelling."""

from __future__ import annotations

import itertools
import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatekeeper import strict
from gatekeeper.errors import Malformed
from gatekeeper.strict import (
    MAX_DEPTH,
    MAX_DIGITS,
    b64url_decode,
    b64url_encode,
    parse_json,
    parse_object,
    render_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROOM = 1 << 20

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
numbers = st.integers(-(10**MAX_DIGITS) + 1, 10**MAX_DIGITS - 1)
documents = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def parsed(text: str | bytes) -> object:
    """Parse with room to spare."""
    return parse_json(text.encode() if isinstance(text, str) else text, max_bytes=ROOM)


def exactly(value: object) -> object:
    """Return the value with its types, since `True == 1` and `1.0 == 1`."""
    if isinstance(value, dict):
        return {name: exactly(member) for name, member in value.items()}
    if isinstance(value, list):
        return [exactly(item) for item in value]
    return (type(value).__name__, value)


@given(documents)
def test_rendered_documents_parse_back_unchanged(document: object) -> None:
    """Parse ∘ render is the identity, types and member order included."""
    text = render_json(document)
    again = parsed(text)
    assert exactly(again) == exactly(document)
    assert render_json(again) == text


@given(documents, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_what_json_writes_is_read_as_json_reads_it(document: object, indent: Any, escape: bool) -> None:  # noqa: FBT001
    """Any layout and either spelling of non-ASCII gives the same document."""
    text = json.dumps(document, indent=indent, ensure_ascii=escape)
    assert exactly(parsed(text)) == exactly(document)


@given(st.text('{}[]":,\\u0018dD-+.eEtrfalsn \n\t/é\x00\x1f\x7f', max_size=40))
def test_what_is_accepted_means_what_json_says(text: str) -> None:
    """For near-JSON of every kind: refused with `Malformed`, or equal to `json.loads`, and never another error."""
    try:
        ours = parsed(text)
    except Malformed:
        return
    assert exactly(ours) == exactly(json.loads(text))
    assert exactly(parsed(render_json(ours))) == exactly(ours)


@given(documents, st.data())
def test_a_mutated_document_is_refused_or_means_what_json_says(document: object, data: st.DataObject) -> None:
    """One byte of good JSON changed, left out or doubled: never another error, never another meaning."""
    text = bytearray(json.dumps(document).encode())
    at = data.draw(st.integers(0, len(text) - 1))
    new = data.draw(st.binary(max_size=2))
    changed = bytes(text[:at] + new + text[at + 1 :])
    try:
        ours = parsed(changed)
    except Malformed:
        return
    assert exactly(ours) == exactly(json.loads(changed))


@given(st.binary(max_size=60))
def test_hostile_bytes_raise_nothing_else(data: bytes) -> None:
    """Whatever the bytes."""
    try:
        ours = parsed(data)
    except Malformed:
        return
    assert exactly(ours) == exactly(json.loads(data.decode("utf-8")))


def test_every_short_document_means_what_json_says() -> None:
    """Exhaustive: all texts up to five characters over JSON's own marks, against `json`.

    Ours accepts less: no floats, no -0, no duplicate members; so whatever else `json` accepts, ours does too.
    """
    accepted = 0
    for length in range(1, 6):
        for marks in itertools.product('{}[]":,-01a', repeat=length):
            text = "".join(marks)
            try:
                theirs: object = json.loads(text)
            except ValueError:
                with pytest.raises(Malformed):
                    parsed(text)
                continue
            try:
                assert exactly(parsed(text)) == exactly(theirs)
            except Malformed:
                assert "-0" in text, text
            accepted += 1
    assert accepted > 500


REFUSED = [
    "",
    " ",
    "nul",
    "True",
    "NaN",
    "Infinity",
    "-Infinity",
    "1.0",
    "1e5",
    "1E5",
    "-",
    "-0",
    "01",
    "-01",
    "+1",
    "0x1",
    "1_000",
    "٣",
    "²",
    '"',
    '"a',
    '"\\',
    '"\\"',
    '"\\x"',
    '"\\u12"',
    '"\\u 123"',
    '"\\u+123"',
    '"\\u_123"',
    '"\\u12é4"',
    '"\\ud800"',
    '"\\udc00"',
    '"\\ud800\\ud800"',
    '"\\ud800\\u0041"',
    '"\\ud800x"',
    '"\t"',
    '"\n"',
    '"\0"',
    "'a'",
    "[",
    "[1",
    "[1,",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{",
    '{"a"',
    '{"a":',
    '{"a":1',
    '{"a":1,',
    '{"a":1,}',
    "{a:1}",
    "{1:1}",
    '{"a" 1}',
    '{"a":1 "b":2}',
    '{"a":1,"a":1}',
    '{"a":1,"\\u0061":2}',
    '{"x":{"a":1,"b":2,"a":3}}',
    "1 1",
    "{}{}",
    "[]x",
    "// a\n1",
    "/* */1",
    "\ufeff1",
    "\u00a01",
    "\u20281",
    "\x0b1",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_not_strict_json_is_refused(text: str) -> None:
    """Each for the rule that it breaks."""
    with pytest.raises(Malformed):
        parsed(text)


@pytest.mark.parametrize(
    "data",
    [
        "1".encode("utf-16"),
        "{}".encode("utf-32"),
        b'"\xe9"',
        b'"\xed\xa0\x80"',
        b'"\xc0\xaf"',
        b'"\xf4\x90\x80\x80"',
    ],
)
def test_what_is_not_utf8_is_refused(data: bytes) -> None:
    """UTF-16, UTF-32, Latin-1, encoded surrogates, overlong forms and what is above Unicode."""
    with pytest.raises(Malformed):
        parsed(data)


@pytest.mark.parametrize(("left", "right"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_bounded(left: str, right: str) -> None:
    """As deep as is allowed passes, one more doesn't, and a hundred thousand is no recursion error."""
    assert parsed(left * MAX_DEPTH + "1" + right * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 100_000):
        with pytest.raises(Malformed):
            parsed(left * depth + "1" + right * depth)


def test_digits_are_bounded() -> None:
    """Every 64-bit number passes; a longer one is refused before it is computed with."""
    for number in (2**64 - 1, -(2**63), 10**MAX_DIGITS - 1):
        assert parsed(str(number)) == number
    for text in ("1" + "0" * MAX_DIGITS, "-1" + "0" * MAX_DIGITS, "9" * 100_000):
        with pytest.raises(Malformed):
            parsed(text)


def test_size_is_bounded_before_anything_else() -> None:
    """Exactly as many bytes as allowed pass; bytes are counted, not characters; and no text is decoded."""
    assert parse_json('"é"'.encode(), max_bytes=4) == "é"
    with pytest.raises(Malformed, match="longer than 3"):
        parse_json('"é"'.encode(), max_bytes=3)
    with pytest.raises(Malformed, match="longer than 3"):
        parse_json(b"\xff\xff\xff\xff", max_bytes=3)


def test_a_string_of_escapes_is_read_in_one_pass() -> None:
    """The end of a string is looked for once: a quarter of a million escapes are read, and the right text comes out."""
    assert parsed('"' + "\\n" * 250_000 + '"') == "\n" * 250_000
    assert parsed('["' + '\\"' * 1000 + '","b"]') == ['"' * 1000, "b"]
    assert parsed('"\\\\","'[:4]) == "\\"


@pytest.mark.parametrize("value", [1, "a", None, [], [{}], True])
def test_an_object_is_demanded_where_one_is_meant(value: object) -> None:
    """`parse_object` gives an object or nothing."""
    assert parse_object(b'{"a":1}', max_bytes=10) == {"a": 1}
    with pytest.raises(Malformed):
        parse_object(render_json(value), max_bytes=100)


@pytest.mark.parametrize("value", [1.0, b"a", {1: 2}, {None: 1}, {True: 1}, [object()], {"a": {1, 2}}])
def test_rendering_another_type_is_misuse(value: object) -> None:
    """No float, no bytes, no member name that isn't text is guessed at."""
    with pytest.raises(TypeError):
        render_json(value)


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [10**MAX_DIGITS, -(10**MAX_DIGITS), "\ud800", {"\udc00": 1}, _nested(MAX_DEPTH + 1)]
)
def test_nothing_is_rendered_that_could_not_be_read(value: object) -> None:
    """Otherwise a state file would be written that is damaged at once."""
    with pytest.raises(ValueError):
        render_json(value)
    assert parsed(render_json(_nested(MAX_DEPTH))) == _nested(MAX_DEPTH)


def test_rendering_is_compact_and_in_the_order_given() -> None:
    """So that what is signed is what was built."""
    value = {"b": [1, -2, (True, None)], "a": {'é\x01\n"\\/': "\x7f"}, "c": {}, "d": []}
    assert render_json(value).decode() == (
        '{"b":[1,-2,[true,null]],"a":{"é\\u0001\\u000a\\"\\\\/":"\x7f"},"c":{},"d":[]}'
    )


@given(st.binary(max_size=100))
def test_base64url_round_trip(data: bytes) -> None:
    """As `base64` spells it, without padding, and back."""
    text = b64url_encode(data)
    assert text == urlsafe_b64encode(data).rstrip(b"=").decode()
    assert b64url_decode(text) == data


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@pytest.mark.parametrize("length", [0, 1, 2, 3])
def test_base64url_has_one_spelling_for_each_bytes(length: int) -> None:
    """Exhaustive: of all texts up to three characters, exactly the canonical spellings decode, each to its own bytes."""
    size = length * 6 // 8
    canonical = (
        {}
        if length == 1
        else {b64url_encode(bytes(b)): bytes(b) for b in itertools.product(range(256), repeat=size)}
    )
    decoded = {}
    for chars in itertools.product(ALPHABET, repeat=length):
        text = "".join(chars)
        try:
            decoded[text] = b64url_decode(text)
        except Malformed:
            continue
    assert decoded == canonical


@pytest.mark.parametrize("length", range(1, 5))
def test_base64url_takes_no_character_from_outside(length: int) -> None:
    """Every other ASCII character, and some that only look like it, at every place of a short text."""
    outside = [chr(code) for code in range(128) if chr(code) not in ALPHABET] + [
        "é",
        "\uff21",
        "\ud800",
        "\u2212",
    ]
    for at in range(length):
        for char in outside:
            with pytest.raises(Malformed):
                b64url_decode("A" * at + char + "A" * (length - at - 1))


@pytest.mark.parametrize(
    "text", ["QQ==", "QQ=", "QR", "QUI=", "QUJ", "A", "AAAAA", "QQ\n", " QQ", "Q Q", "QQ==QQ=="]
)
def test_base64url_padding_white_space_and_trailing_bits_are_refused(text: str) -> None:
    """What lenient decoders take for the same bytes."""
    with pytest.raises(Malformed):
        b64url_decode(text)


@given(st.text(max_size=12))
def test_base64url_of_hostile_text_raises_nothing_else(text: str) -> None:
    """And what decodes is the one spelling."""
    try:
        data = b64url_decode(text)
    except Malformed:
        return
    assert b64url_encode(data) == text


# Readers of members: (reader, values it takes, values it refuses). A missing member is None here.
READERS: list[tuple[Callable[[dict[str, object], str], object], list[object], list[object]]] = [
    (strict.text_of, ["a", "é" * 1024], [None, "", 1, True, [], {}, ["a"], "a" * 1025]),
    (strict.optional_text, [None, "", "a" * 4096], [1, False, [], {}, "a" * 4097]),
    (strict.integer_of, [0, 2**63], [None, -1, True, False, "1", [], {}]),
    (strict.optional_integer, [None, 0, 5], [-1, True, False, "1", [], {}]),
    (strict.texts_of, [None, [], ["a", ""]], ["a", 1, {}, [1], ["a", None], [["a"]], True]),
    (strict.object_of, [{}, {"a": 1}], [None, [], "a", 1, True]),
    (strict.objects_of, [None, [], [{}], [{"a": 1}, {}]], [{}, "a", 1, True, ["a"], [{}, None]]),
    (strict.text_map_of, [None, {}, {"a": "b"}], [[], "a", 1, True, {"a": 1}, {"a": None}]),
]


@pytest.mark.parametrize(
    ("reader", "takes", "refuses"), READERS, ids=[reader.__name__ for reader, _, _ in READERS]
)
def test_readers_take_their_shape_alone(
    reader: Callable[[dict[str, object], str], object], takes: list[object], refuses: list[object]
) -> None:
    """A boolean is no number, an empty text no text, and the message names the member but never its value."""
    for value in takes:
        given_ = {} if value is None else {"member": value}
        got = reader(given_, "member")
        assert got == value or value is None or list(got) == list(value)  # type: ignore[call-overload]
        if value is None:
            assert got in (None, "", (), {})
    for value in refuses:
        with pytest.raises(Malformed, match=r"^member ") as refused:
            reader({} if value is None else {"member": value}, "member")
        assert len(refused.value.reason) < 60
