"""Every value of every key: what is accepted, and what is refused with words that say what is expected."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.config.conftest import PIN, PIN_2

from gatekeeper.config.keys import (
    BY_NAME,
    FILES,
    KEYS,
    MANAGED,
    TRUST_KEYS,
    Key,
    check_value,
    find_key,
    host_of,
    is_loopback,
    parse_variable,
)
from gatekeeper.errors import Malformed


@pytest.mark.parametrize(
    "address",
    [
        "https://gatekeeper.acme.example",
        "https://gatekeeper.acme.example:8443",
        "https://localhost",
        "http://localhost:8750",
        "http://127.0.0.1:8750",
        "http://127.255.0.1",
        "http://[::1]:8750",
        "https://[::1]",
    ],
)
def test_addresses_of_services(address: str) -> None:
    """https anywhere, plain http on this machine; kept as written, because it is the issuer."""
    assert check_value(BY_NAME["service"], address) == address


@pytest.mark.parametrize(
    "address",
    [
        "",
        "gatekeeper.acme.example",
        "HTTPS://gatekeeper.acme.example",
        "https://Gatekeeper.acme.example",
        "https://gatekeeper.acme.example/",
        "https://gatekeeper.acme.example/path",
        "https://gatekeeper.acme.example?x=1",
        "https://gatekeeper.acme.example#x",
        "https://ada@gatekeeper.acme.example",
        "https://ada:pw@gatekeeper.acme.example",
        "https://good.example\\@evil.example",
        "https://gatekeeper.acme.example:",
        "https://gatekeeper.acme.example:0",
        "https://gatekeeper.acme.example:0443",
        "https://gatekeeper.acme.example:65536",
        "https://gatekeeper.acme.example:٨٠",
        "https://gatekeeper.acme.example:80:80",
        "https:// gatekeeper",
        "https://",
        "https://.acme.example",
        "https://gatekeeper\n.acme.example",
        "https://g\u0430tekeeper.acme.example",
        "https://[::2]",
        "https://[::1]x",
        "https://[::1",
        "http://gatekeeper.acme.example",
        "http://evil.localhost",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://127.1",
        "http://127.0.0.256",
        "http://0.0.0.0",
        "http://10.0.0.1",
        "ftp://localhost",
        "file:///etc/passwd",
        7,
        None,
        ["https://gatekeeper.acme.example"],
    ],
)
def test_what_is_no_address_of_a_service(address: object) -> None:
    """No path, query, user, second spelling or plain http elsewhere; nothing that two parsers could read differently."""
    with pytest.raises(Malformed):
        check_value(BY_NAME["service"], address)


@given(
    st.text(alphabet="abz019.-_:[]/@%#?\\ é", max_size=20)
    | st.from_regex(r"[a-z0-9.-]{1,20}(:[0-9]{1,6})?", fullmatch=True)
)
def test_an_accepted_address_is_read_alike_by_httpx(text: str) -> None:
    """Whatever is accepted has the same scheme, host and no more for the library that calls it."""
    import httpx

    for address in (f"https://{text}", f"http://{text}"):
        try:
            check_value(BY_NAME["service"], address)
        except Malformed:
            continue
        url = httpx.URL(address)
        assert f"{url.scheme}://{url.netloc.decode()}" in (
            address,
            address.removesuffix(":443").removesuffix(":80"),
        )
        assert (url.path, url.query, url.userinfo) == ("/", b"", b"")
        assert host_of(address).strip("[]") == url.host
        assert url.scheme == "https" or is_loopback(host_of(address))


def test_pins_are_thumbprints() -> None:
    """A list of distinct 43-character thumbprints becomes a tuple."""
    assert check_value(BY_NAME["trust_roots"], [PIN, PIN_2]) == (PIN, PIN_2)


@pytest.mark.parametrize(
    "pins",
    [
        [],
        "",
        PIN,
        [PIN, PIN],
        [PIN[:-1]],
        [PIN + "A"],
        ["=" * 43],
        [PIN[:-1] + "B"],
        [7],
        [None],
        [PIN] * 17,
        {PIN: 1},
    ],
)
def test_what_is_no_list_of_pins(pins: object) -> None:
    """Empty, repeated, short, long, padded or not canonical: refused, because each would pin less than it seems to."""
    with pytest.raises(Malformed):
        check_value(BY_NAME["trust_roots"], pins)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("trust_threshold", [1, 2], [0, -1, True, "1", 1.0, 2**31, None]),
        ("min_root_version", [0, 7], [-1, False, "7"]),
        (
            "profile",
            ["default", "Work-1", "a" * 64],
            ["", ".", "..", "a/b", "-x", "_x", "a.b", "ä", "a" * 65, 1],
        ),
        ("credential_store", ["keyring", "file", "memory"], ["", "plaintext", "File", 1, [], {}]),
        ("allow_file_store", [True, False], ["true", 1, 0, None]),
        ("verifier", ["own", "library"], ["none", ""]),
        ("ca_bundle", ["/etc/ssl/acme.pem"], ["", "acme.pem", "~/acme.pem", "/a\0b", 1]),
        ("enforce_from", ["2026-01-01T00:00:00Z", "rubbish"], [1, "x" * 300]),
    ],
)
def test_values_of_the_other_keys(name: str, good: list[object], bad: list[object]) -> None:
    """Exactly these types and ranges; true is no number, and a number no truth."""
    for value in good:
        assert check_value(BY_NAME[name], value) == value
    for value in bad:
        with pytest.raises(Malformed):
            check_value(BY_NAME[name], value)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("off", False), (" no ", False)])
def test_truth_in_the_environment(text: str, *, value: bool) -> None:
    """The usual words, in any case."""
    assert parse_variable(BY_NAME["offline"], text) is value


@pytest.mark.parametrize("text", ["2", "maybe", "ja"])
def test_half_truths_are_refused(text: str) -> None:
    """A word that is neither is an error: `GATEKEEPER_OFFLINE=maybe` must not mean the one or the other."""
    with pytest.raises(Malformed):
        parse_variable(BY_NAME["offline"], text)


@given(
    st.sampled_from(KEYS),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_no_value_breaks_a_check(key: Key, value: object) -> None:
    """Whatever a file holds, a check accepts it or says what is expected; nothing else is raised."""
    with suppress(Malformed):
        check_value(key, value)


def test_no_variable_sets_trust() -> None:
    """No environment variable and no option moves the trust anchors."""
    for name in ("trust_roots", "trust_threshold", "min_root_version", "verifier", "allow_file_store"):
        assert BY_NAME[name].variable == ""
        assert set(BY_NAME[name].layers) <= set(FILES)
    assert set(TRUST_KEYS) <= set(BY_NAME)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("service", True),
        ("profiles.work.service", True),
        ("profiles.work.profile", False),
        ("profiles.work.offline", False),
        ("profiles.work.enforce_from", False),
        ("profiles..service", False),
        ("profiles.a/b.service", False),
        ("profiles.work", False),
        ("profiles.a.b.service", False),
        ("Service", False),
        ("", False),
    ],
)
def test_names_of_keys(name: str, *, known: bool) -> None:
    """A key, or a key of one profile where it may differ by profile."""
    assert (find_key(name) is not None) is known


def test_every_key_is_complete() -> None:
    """The reference page is made from the table: each key has words, a default of its type, and layers."""
    for key in KEYS:
        assert key.words.endswith(".")
        assert key.layers
        assert key.layers[0] == MANAGED or key.name in ("offline", "no_input")
        assert key.variable == "" or key.variable.startswith("GATEKEEPER_")
