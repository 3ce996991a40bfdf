"""Documents: what is rendered is read back as the same value; what is missing or misshapen is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.facts import token

from gatekeeper.documents import api
from gatekeeper.documents.catalogue import Catalogue, CatalogueTool, parse_catalogue, render_catalogue
from gatekeeper.documents.launch_token import Exclusion, Identity, LaunchChanges, parse_launch_token
from gatekeeper.documents.launch_token_rendered import render_launch_token
from gatekeeper.documents.verdict import Verdict, render_verdict, rfc3339
from gatekeeper.errors import Malformed, TrustError
from gatekeeper.strict import parse_object, render_json
from gatekeeper.trust.chain import VerifiedApproval
from gatekeeper.trust.published import VerifiedPolicy

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
DIGEST = "ab" * 32
IDENTITIES = st.one_of(
    st.builds(Identity, npm=WORDS, versions=st.sampled_from(["", ">=1"])),
    st.builds(Identity, sha256=st.just((DIGEST,))),
    st.builds(Identity, pypi=WORDS, publisher=WORDS),
)
TOKENS = st.builds(
    token,
    tool=WORDS,
    identities=st.lists(IDENTITIES, min_size=1, max_size=3).map(tuple),
    locations=st.lists(WORDS, max_size=3).map(tuple),
    exclude=st.lists(st.builds(Exclusion, pattern=WORDS, rule=WORDS), max_size=3).map(tuple),
    launch=st.builds(
        LaunchChanges,
        env_unset=st.just(("EVIL",)),
        env_set=st.dictionaries(
            st.just("A"), st.text(st.characters(min_codepoint=32, max_codepoint=0x7F))
        ).map(lambda d: tuple(d.items())),
        args_prepend=st.just(("--x",)),
    ),
    grant=st.sampled_from(["", "G-1"]),
    grant_ends=st.one_of(st.none(), st.integers(min_value=0, max_value=2**40)),
    confine=st.sampled_from(["", "workspace"]),
)


@given(made=TOKENS)
def test_launch_token_round_trip(made: object) -> None:
    """A rendered token, through bytes, is read back as the same token."""
    claims = parse_object(render_json(render_launch_token(made)), max_bytes=100_000)  # type: ignore[arg-type]
    assert parse_launch_token(VerifiedApproval(kid="k", claims=claims)) == made


def _paths(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [path] if path else []
    if isinstance(value, dict):
        for key, item in value.items():
            found += _paths(item, (*path, key))
    return found


CLAIMS = render_launch_token(token())
OPTIONAL = {("aud",), ("gk", "grant"), ("gk", "grant_exp")}


@pytest.mark.parametrize("path", [p for p in _paths(CLAIMS) if p not in OPTIONAL], ids=str)
def test_every_required_claim_is_required(path: tuple[str, ...]) -> None:
    """A token without one of its claims, or with another shape there, is refused (GK502), never half read."""
    wrongs: tuple[object, ...] = (None, 1.5, [1], {"x": {}}, "")
    for wrong in wrongs:
        claims = json.loads(json.dumps(CLAIMS))
        at = claims
        for step in path[:-1]:
            at = at[step]
        at[path[-1]] = wrong
        if wrong is None:
            del at[path[-1]]
        with pytest.raises(TrustError) as error:
            parse_launch_token(VerifiedApproval(kid="k", claims=claims))
        assert error.value.code == "GK502"


@pytest.mark.parametrize(
    "change",
    [
        {"identity": []},
        {"identity": [{}]},
        {"identity": [{"versions": ">=1"}]},
        {"identity": [{"sha256": ["ABC"]}]},
        {"type": "other"},
        {"tool": "codex"},
        {"locations": "github.com/*"},
        {"exclude": [{"rule": "x"}]},
        {"launch": {"env_set": {"A=B": "1"}}},
        {"launch": {"env_unset": [""]}},
        {"launch": {"env_set": {"A": "\0"}}},
        {"launch": {"args_prepend": ["\0"]}},
    ],
    ids=str,
)
def test_a_launch_that_means_nothing_is_refused(change: dict[str, object]) -> None:
    """Details that recognise nothing, or could not be executed, are malformed."""
    claims = json.loads(json.dumps(CLAIMS))
    claims["authorization_details"][0].update(change)
    with pytest.raises(TrustError):
        parse_launch_token(VerifiedApproval(kid="k", claims=claims))


def test_two_launches_in_one_token_are_refused() -> None:
    """A token is for one tool: a second detail is not ignored but refused."""
    claims = json.loads(json.dumps(CLAIMS))
    claims["authorization_details"] *= 2
    with pytest.raises(TrustError):
        parse_launch_token(VerifiedApproval(kid="k", claims=claims))


def test_unknown_claims_never_widen() -> None:
    """Claims that this version doesn't know change nothing."""
    claims = {**CLAIMS, "admin": True, "locations": ["**"]}
    assert parse_launch_token(VerifiedApproval(kid="k", claims=claims)) == token()


CATALOGUE = Catalogue(
    issuer="https://gk.acme.example",
    subject="u_1",
    version=3,
    issued_at=1_800_000_000,
    expires_at=1_800_086_400,
    jti="c1",
    organisation="Acme",
    help="#ai-approvals",
    tools=(
        CatalogueTool(
            id="cursor",
            name="Cursor CLI",
            vendor="anysphere",
            vendor_name="Anysphere",
            access="approval",
            executables=("cursor-agent",),
            identities=(Identity(native="cursor-agent"),),
            alternatives=("llama",),
            max_duration="90d",
            min_reason=20,
            stopped="A breach was reported.",
        ),
    ),
    rules=(("AI-07", "Model code stays here."),),
)


def test_catalogue_round_trip_and_lookup() -> None:
    """A catalogue is read back as it was; a tool is found by id and by executable."""
    claims = parse_object(render_json(render_catalogue(CATALOGUE)), max_bytes=100_000)
    read = parse_catalogue(VerifiedPolicy(kid="k", claims=claims))
    assert read == CATALOGUE
    assert read.tool("cursor") is read.tool("cursor-agent")
    assert read.tool("agent") is None
    assert read.words_of("AI-07") == "Model code stays here."
    assert read.words_of("AI-08") == ""


def test_catalogue_with_an_unknown_access_class_is_refused() -> None:
    """An access class that this version doesn't know can't be taken for open."""
    claims = render_catalogue(CATALOGUE.replace(tools=(CATALOGUE.tools[0].replace(access="free"),)))
    with pytest.raises(TrustError):
        parse_catalogue(VerifiedPolicy(kid="k", claims=claims))


VIEWS = [
    (api.parse_token_answer, api.render_token_answer, api.TokenAnswer(access_token="t", token_type="DPoP", expires_in=600, scope="launch:claude", refresh_token="r", subject="u_1", name="ada@acme.example", device="d_1")),
    (api.parse_me, api.render_me, api.Me(subject="u_1", name="ada@acme.example", groups=("dev",), device="d_1", device_name="laptop")),
    (api.parse_request, api.render_request, api.RequestView(id="R-1", tool="claude", subject_name="ada@acme.example", state="pending", reason="<b>", duration="30d", zones=("none",), url="https://gk.acme.example/requests/R-1", created_at=1, ticket="T-1", grant="G-1", decided_by="sam@acme.example", decision_reason="ok", place=3)),
    (api.parse_new_request, api.render_new_request, api.NewRequest(tool="claude", reason="because", duration="30d", zones=("z",), ticket="T-1")),
]  # fmt: skip


@pytest.mark.parametrize(("parse", "render", "value"), VIEWS)
def test_api_bodies_round_trip(parse: object, render: object, value: object) -> None:
    """What one side renders the other reads as the same value."""
    assert parse(render_json(render(value))) == value  # type: ignore[operator]


def test_api_lists_round_trip() -> None:
    """Lists of requests, grants and devices are read back as they were."""
    request = VIEWS[2][2]
    grant = api.GrantView(id="G-1", tool="claude", subject_name="ada@acme.example", state="revoked", zones=("none",), starts_at=1, ends_at=2, request="R-1", ended_by="sam@acme.example", ended_reason="left")  # fmt: skip
    device = api.DeviceView(id="d_1", name="laptop", state="active", enrolled_at=1, seen_at=2)
    assert api.parse_requests(render_json({"requests": [api.render_request(request)]})) == (request,)  # type: ignore[arg-type]
    assert api.parse_grants(render_json({"grants": [api.render_grant(grant)]})) == (grant,)
    assert api.parse_devices(render_json({"devices": [api.render_device(device)]})) == (device,)


def test_problem_round_trip() -> None:
    """A problem keeps its code and what helps the client to help."""
    problem = api.Problem(code="GK307", status=403, title="revoked", detail="d", error="access_denied", tool="claude", rule="r", request="R-1", request_url="u", alternatives=("llama",), by="sam@acme.example", reason="left", ref="ab12", retry_after=3)  # fmt: skip
    assert api.parse_problem(render_json(api.render_problem(problem)), status=403) == problem


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"code":"301"}', b'{"code":"GKabc"}', b'{"code":1}', b""]
)
def test_a_body_without_our_code_is_no_problem_document(body: bytes) -> None:
    """A proxy's page is never taken for the service's answer."""
    with pytest.raises(Malformed):
        api.parse_problem(body, status=500)


@given(at=st.integers(min_value=0, max_value=253_402_300_799))
def test_rfc3339_agrees_with_the_library(at: int) -> None:
    """Our calendar arithmetic is the calendar's."""
    assert rfc3339(at) == datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@given(
    st.text(st.characters(), max_size=20) | st.text(st.sampled_from("a\ud800\udcff\udfff\u00e4"), max_size=8)
)
def test_a_verdict_is_always_written(text: str) -> None:
    """Whatever a path or an answer holds, the verdict renders; what UTF-8 can hold stays as it is."""
    names = ("tool", "version", "path", "reason", "rule", "request_id", "request_url", "ref")
    verdict = Verdict(code="GK301", decision="refuse", tool="x", exit=3, alternatives=(text,))
    rendered = render_verdict(verdict.replace(**dict.fromkeys(names, text)))
    parse_object(render_json(rendered), max_bytes=100_000)
    kept = "".join("\ufffd" if 0xD800 <= ord(char) <= 0xDFFF else char for char in text)
    assert rendered["tool"] == kept
    assert rendered["alternatives"] == [kept]
    assert {rendered[name] for name in names[1:]} == {kept or None}


def test_verdict_has_every_member() -> None:
    """Readers find every member of the contract, null where there is nothing."""
    rendered = render_verdict(Verdict(code="GK301", decision="refuse", tool="claude", exit=3))
    assert list(rendered) == [
        "schema", "code", "decision", "tool", "version", "path", "reason", "rule", "request_id",
        "request_url", "alternatives", "expires_at", "ref", "exit",
    ]  # fmt: skip
    assert rendered["expires_at"] is None
    assert (
        render_verdict(Verdict(code="", decision="allow", tool="x", exit=0, expires_at=0))["expires_at"]
        == "1970-01-01T00:00:00Z"
    )
