"""`[[ci]]` and `[scim]` of service.toml: what can be meant is read, and everything else is said by its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatekeeper.errors import GatekeeperError
from gatekeeper.service.people.scim_settings import ScimSettings, load_tokens, make_token, parse_scim
from gatekeeper.service.people.workloads import find_workload, match_workload, parse_ci
from gatekeeper.service.settings import load_settings

ISSUER = "https://gatekeeper.acme.example"
WEB = {"id": "ci:acme/web", "repository_id": 4711}


def ci(**changes: Any) -> list[dict[str, Any]]:
    """Return a section with one platform."""
    table = {"platform": "github", "workloads": [WEB]} | changes
    return [{name: value for name, value in table.items() if value is not None}]


def workload(**changes: Any) -> list[dict[str, Any]]:
    """Return a section with one changed workload."""
    table = WEB | changes
    return ci(workloads=[{name: value for name, value in table.items() if value is not None}])


def test_what_is_left_out() -> None:
    """GitHub's issuer, this service as the audience, discovery."""
    (only,) = parse_ci(ci(), issuer=ISSUER)
    assert (only.issuer, only.audience, only.jwks) == (
        "https://token.actions.githubusercontent.com",
        ISSUER,
        "",
    )
    assert only.workloads[0].claims == (("repository_id", ("4711",)),)


def test_a_workload_is_found_in_any_spelling() -> None:
    """As people are."""
    found = parse_ci(ci(), issuer=ISSUER)
    assert find_workload(found, " CI:Acme/Web") == found[0].workloads[0]
    assert find_workload(found, "ci:acme/other") is None


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({}, "[[ci]]"),
        (["x"], "table"),
        (ci(platform="jenkins"), "ci[1].platform"),
        (ci(platform=None), "ci[1].platform"),
        (ci(isuer="x"), "ci[1].isuer"),
        (ci(issuer="http://ci.acme.example"), "plain http"),
        (ci(issuer="ftp://x"), "https"),
        (ci(issuer=7), "text"),
        (ci(jwks="https://x/?a=b"), "https"),
        (ci(workloads=[]), "at least one"),
        (ci(workloads=None), "at least one"),
        (ci(platform="generic", workloads=[WEB]), "issuer"),
        (ci() + ci(), "stands twice"),
        (ci(workloads=[WEB, WEB]), "stands twice"),
        (workload(sub="repo:acme/web"), "match the platform's ids"),
        (workload(repository="acme/web"), "match the platform's ids"),
        (workload(repositry_id=1), "unknown key"),
        (workload(repository_id=None, ref="refs/heads/main"), "whose jobs"),
        (workload(repository_id=None), "whose jobs"),
        (workload(repository_id=True), "a text or a number"),
        (workload(repository_id=""), "a text or a number"),
        (workload(ref=[]), "a text or a number"),
        (workload(ref=["a", 1.5]), "a text or a number"),
        (workload(ref="refs/heads/*"), "compared whole"),
        (workload(id=None), "text"),
        (workload(id="a\u202eb"), "control or invisible"),
        (workload(id="ada@acme.example"), "mail address"),
        (ci(platform="generic", issuer="https://x", workloads=[{"id": "ci:a", "ref": "main"}]), "whose jobs"),
    ],
)
def test_what_cannot_be_meant(section: Any, words: str) -> None:
    """GK101 with the key."""
    with pytest.raises(GatekeeperError) as caught:
        parse_ci(section, issuer=ISSUER)
    assert caught.value.code == "GK101"
    assert words in caught.value.detail


def test_a_misspelt_key_has_a_suggestion() -> None:
    """Did you mean."""
    with pytest.raises(GatekeeperError) as caught:
        parse_ci(workload(repositry_id=1), issuer=ISSUER)
    assert caught.value.remedy == "Did you mean repository_id?"


@pytest.mark.parametrize("value", [True, None, ["4711"], {"4711": 1}, 4711.0, "4711 ", "04711"])
def test_ids_are_compared_whole(value: object) -> None:
    """A claim of another type or spelling is another id."""
    (only,) = parse_ci(ci(), issuer=ISSUER)
    with pytest.raises(GatekeeperError):
        match_workload(only, {"repository_id": value, "event_name": "push"})
    for same in ("4711", 4711):
        assert match_workload(only, {"repository_id": same, "event_name": "push"}).id == "ci:acme/web"


def test_more_claims_never_match_more() -> None:
    """A workload with one condition more matches no job that it didn't match before."""
    claims = {"repository_id": "4711", "event_name": "push", "ref": "refs/heads/main"}
    (wide,), (narrow,) = (
        parse_ci(ci(), issuer=ISSUER),
        parse_ci(workload(ref="refs/heads/other"), issuer=ISSUER),
    )
    assert match_workload(wide, claims).id == "ci:acme/web"
    with pytest.raises(GatekeeperError):
        match_workload(narrow, claims)


EVENTS = {
    "github": {"push", "schedule", "workflow_dispatch", "release"},
    "gitlab": {"push", "schedule", "web", "api"},
}
OTHER_EVENTS = {
    "github": "pull_request pull_request_target pull_request_review pull_request_review_comment issues issue_comment "
    "discussion discussion_comment workflow_run merge_group fork watch repository_dispatch made_up_tomorrow",
    "gitlab": "merge_request_event external_pull_request_event parent_pipeline pipeline trigger chat made_up_tomorrow",
}


@pytest.mark.parametrize("platform", ["github", "gitlab"])
def test_only_events_of_members_are_taken_unnamed(platform: str) -> None:
    """Any other event, also one that nobody knows yet, only where the workload names that very event."""
    one = {"id": "ci:acme/web", "repository_id" if platform == "github" else "project_id": 4711}
    claim = "event_name" if platform == "github" else "pipeline_source"
    ids = {"repository_id": "4711", "project_id": "4711"}
    (unnamed,) = parse_ci(ci(platform=platform, workloads=[one]), issuer=ISSUER)
    for event in EVENTS[platform]:
        assert match_workload(unnamed, ids | {claim: event}).id == "ci:acme/web"
    hostile: tuple[object, ...] = (*OTHER_EVENTS[platform].split(), "", "Push", None, ["push"])
    for other in hostile:
        with pytest.raises(GatekeeperError) as caught:
            match_workload(unnamed, {**ids, claim: other})
        assert caught.value.code == "GK201"
    for event in OTHER_EVENTS[platform].split():
        (named,) = parse_ci(ci(platform=platform, workloads=[one | {claim: [event]}]), issuer=ISSUER)
        assert match_workload(named, ids | {claim: event}).id == "ci:acme/web"
        with pytest.raises(GatekeeperError):
            match_workload(named, ids | {claim: "other"})


def test_the_tokens_file_lies_in_the_services_directory(tmp_path: Path) -> None:
    """Unless it is named."""
    assert parse_scim({}, data=tmp_path).token_file == tmp_path / "scim.token"
    assert parse_scim({"token_file": "/run/token"}, data=tmp_path).token_file == Path("/run/token")


@pytest.mark.parametrize("raw", [7, {"token_fil": "x"}, {"token_file": ""}, {"token_file": 7}])
def test_a_section_that_cannot_be_read(tmp_path: Path, raw: object) -> None:
    """GK101."""
    with pytest.raises(GatekeeperError) as caught:
        parse_scim(raw, data=tmp_path)
    assert caught.value.code == "GK101"


@pytest.mark.parametrize("text", ["", "short\n", f"{'a' * 40}\n{'b' * 40}\n{'c' * 40}\n", "é" * 40])
def test_tokens_that_are_none(tmp_path: Path, text: str) -> None:
    """One that could be guessed, or more than two, is no token file. An empty one lets nobody in."""
    path = tmp_path / "token"
    path.write_text(text)
    if text:
        with pytest.raises(GatekeeperError):
            load_tokens(path)
    else:
        assert load_tokens(path) == ()


def test_making_tokens(tmp_path: Path) -> None:
    """The newest and, where it is kept, the one before."""
    settings = ScimSettings(token_file=tmp_path / "token")
    first = make_token(settings, keep=True)
    second = make_token(settings, keep=True)
    third = make_token(settings, keep=True)
    assert load_tokens(settings.token_file) == (third, second)
    assert first not in load_tokens(settings.token_file)
    assert load_tokens(settings.token_file) != (make_token(settings, keep=False),)
    assert len(load_tokens(settings.token_file)) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["token"]


def test_service_toml_holds_both_sections(tmp_path: Path) -> None:
    """Read with the rest of the file; the audience is the issuer that stands there."""
    (tmp_path / "service.toml").write_text(
        'issuer = "https://gatekeeper.acme.example"\n[scim]\n[[ci]]\nplatform = "gitlab"\n'
        'workloads = [{ id = "ci:acme/api", project_id = 22 }]\n'
    )
    settings = load_settings(tmp_path)
    assert settings.scim == ScimSettings(token_file=tmp_path / "scim.token")
    assert [(one.issuer, one.audience) for one in settings.ci] == [("https://gitlab.com", ISSUER)]
