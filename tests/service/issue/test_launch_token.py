"""Launch tokens: their times, scope, status entry and size."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from tests.service.local import NOW, POLICY, LocalService, Workstation

from gatekeeper.documents.status_list import ENTRIES, parse_status_list
from gatekeeper.service.access.grants import Grant
from gatekeeper.service.issue.launch_token import standing_of
from gatekeeper.service.issue.status_entries import KEEP_FOR, free_entries
from gatekeeper.service.keys.signer import Keys
from gatekeeper.service.operate import review
from gatekeeper.service.policy.folder import PolicyFiles, apply_policy
from gatekeeper.service.store.tables.issue import root_documents, status_entries
from gatekeeper.strict import MAX_TOKEN_BYTES
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.published import verify_status_list

HOUR, DAY = 3_600, 86_400


def granted(local: LocalService, tool: str = "claude", **more: object) -> tuple[Workstation, str]:
    """Return a workstation with a grant, and the grant's id."""
    station = local.workstation()
    return station, local.approve(station.request(tool, **more).json()["id"])


def test_a_token_says_what_the_protocol_says(local: LocalService) -> None:
    """Each claim is the protocol's: times, binding, scope, policy, words."""
    station, grant = granted(local)
    answer = station.launch("claude").json()
    token = local.verified(answer["access_token"])
    assert (token.issued_at, token.not_before, token.expires_at) == (NOW, NOW - 300, NOW + DAY)
    assert (token.jkt, token.tool, token.provider) == (station.key.kid, "claude", "anthropic")
    assert (token.grant, token.grant_ends) == (grant, NOW + 30 * DAY)
    assert (token.policy, token.name, token.fresh_for) == ("access:approval@1", "ada@acme.example", 900)
    assert (answer["scope"], answer["expires_in"], answer["device"]) == ("launch:claude", DAY, token.device)
    assert token.locations == ("*",)
    assert [one.pattern for one in token.exclude] == ["github.com/acme/llama-*", "github.com/acme/datasets-*"]


def test_an_executables_name_asks_for_its_tool(local: LocalService) -> None:
    """Whoever knows only the executable's name gets the tool's token."""
    policy = POLICY.replace("[tools.claude]", '[tools.claude]\nexecutables = ["claude", "claude-next"]')
    other = LocalService(local.data.parent / "other", policy=policy)
    station, _ = granted(other)
    assert station.launch("claude-next").json()["scope"] == "launch:claude"
    other.close()


@pytest.mark.parametrize(
    ("lease", "expected"),
    [("7200", 2 * HOUR), ("36h", 36 * HOUR), ("72h", 48 * HOUR), ("999999999", 48 * HOUR), ("1", 60)],
)
def test_a_lease_is_given_up_to_the_policys_longest(local: LocalService, lease: str, expected: int) -> None:
    """The lease asked for is given, capped by max_lease, never refused."""
    station, _ = granted(local)
    assert station.launch("claude", lease=lease).json()["expires_in"] == expected


def test_no_token_outlives_its_grant(local: LocalService) -> None:
    """A token ends with its grant, and the grant's end is the end of tokens."""
    station, _ = granted(local, duration="2h")
    assert station.launch("claude", lease="48h").json()["expires_in"] == 2 * HOUR
    local.now += 2 * HOUR
    assert station.launch("claude").json()["code"] == "GK308"


def test_no_token_outlives_the_root_document(local: LocalService) -> None:
    """A token ends with the root document that certifies its key."""
    station, _ = granted(local)
    with local.store.write() as tx:
        tx.execute(root_documents.update().values(expires_at=NOW + 90))
    assert station.launch("claude").json()["expires_in"] == 90


def test_a_renewal_keeps_a_later_end(local: LocalService) -> None:
    """After `sync --lease 48h` an ordinary renewal doesn't shorten the lease, nor does it lengthen it."""
    station, _ = granted(local)
    station.launch("claude", lease="48h")
    local.now += HOUR
    assert station.launch("claude").json()["expires_in"] == 47 * HOUR
    local.now += 30 * HOUR
    assert station.launch("claude").json()["expires_in"] == 24 * HOUR


def test_renewals_share_one_index(local: LocalService) -> None:
    """A device and grant have one index for all tokens; another device, tool or grant has its own."""
    station, grant = granted(local)
    indexes = {local.verified(station.launch("claude").json()["access_token"]).status_index for _ in range(3)}
    assert len(indexes) == 1
    indexes.add(local.verified(station.launch("aider").json()["access_token"]).status_index)
    second = local.workstation(device="desktop")
    indexes.add(local.verified(second.launch("claude").json()["access_token"]).status_index)
    local.revoke(grant)
    local.approve(station.request().json()["id"])
    indexes.add(local.verified(station.launch("claude").json()["access_token"]).status_index)
    assert len(indexes) == 4


def _status(local: LocalService, token_index: int) -> int:
    local.now += 10  # a list is built anew after a few seconds
    body = local.send("GET", "/status/0").content
    verified = verify_status_list(
        body,
        keys=local.status_keys(),
        uri="https://gatekeeper.acme.example/status/0",
        verify=verify_es256,
    )
    return parse_status_list(verified).status_at(token_index)


def test_the_list_says_what_became_of_a_grant(local: LocalService) -> None:
    """Suspended, resumed and revoked show at the token's index, each at once in the next list."""
    station, grant = granted(local)
    index = local.verified(station.launch("claude").json()["access_token"]).status_index
    seen = [_status(local, index)]
    for act in (review.suspend, review.resume, review.revoke):
        act(local.store, grant, as_name="sam@acme.example", reason="Because.", now=local.now)
        seen.append(_status(local, index))
    assert seen == [0, 2, 0, 1]


def test_an_index_is_freed_73_hours_after_its_last_token(local: LocalService) -> None:
    """An entry stays as long as somebody may still ask for it, and no longer."""
    station, _ = granted(local)
    station.launch("claude")
    with local.store.write() as tx:
        assert free_entries(tx, NOW + DAY + KEEP_FOR) == 0
        assert free_entries(tx, NOW + DAY + KEEP_FOR + 1) == 1


def test_a_taken_index_is_never_given_again(tmp_path: Path) -> None:
    """Where every pick collides, the next list is used: no two devices share an index."""
    local = LocalService(tmp_path / "svc")
    authority = local.service.authority.replace(random_bytes=bytes)
    local.service = local.service.replace(authority=authority)
    stations = [local.workstation(f"a{n}@acme.example") for n in range(3)]
    from gatekeeper.service.app import make_app

    local.app = make_app(local.service)
    for station in stations:
        assert station.launch("aider").status_code == 200
    with local.store.read() as tx:
        places = tx.execute(select(status_entries.c.list, status_entries.c.index)).all()
    assert sorted(tuple(place) for place in places) == [(0, 0), (1, 0), (2, 0)]
    local.close()


def test_indexes_are_spread_over_the_list(local: LocalService) -> None:
    """Every index is within the list."""
    stations = [local.workstation(f"a{n}@acme.example") for n in range(4)]
    tokens = [local.verified(station.launch("aider").json()["access_token"]) for station in stations]
    assert len({token.status_index for token in tokens}) == 4
    assert all(0 <= token.status_index < ENTRIES for token in tokens)


def test_a_zone_is_entered_only_with_a_grant_that_names_it(local: LocalService) -> None:
    """A grant for one zone alone gives its patterns as locations, and excludes every other zone."""
    station, _ = granted(local, zones=["frontier-models"])
    token = local.verified(station.launch("claude").json()["access_token"])
    assert token.locations == ("github.com/acme/llama-*",)
    assert [one.pattern for one in token.exclude] == ["github.com/acme/datasets-*"]


def test_two_grants_add_their_zones_and_end_with_the_first(local: LocalService) -> None:
    """A shorter grant adds its zone while it stands; when it is over, the renewal goes on without that zone."""
    station, long = granted(local)
    local.approve(station.request(zones=["frontier-models"], duration="3h").json()["id"])
    both = local.verified(station.launch("claude").json()["access_token"])
    assert (both.grant, both.locations, both.expires_at) == (long, ("*",), NOW + 3 * HOUR)
    assert [one.rule for one in both.exclude] == ["zone:training-data"]
    local.now += 3 * HOUR
    alone = local.verified(station.launch("claude").json()["access_token"])
    assert (alone.grant, len(alone.exclude)) == (long, 2)


ZONES = st.lists(st.sampled_from(("none", "a", "b", "c")), min_size=1, max_size=3, unique=True)


@given(st.lists(st.tuples(ZONES, st.integers(1, 50)), min_size=1, max_size=4))
def test_merged_grants_never_widen(given_grants: list[tuple[list[str], int]]) -> None:
    """At every moment before the merged end, each merged zone is named by a grant that stands then."""
    grants = [
        Grant(
            id=f"G-{number}",
            number=number,
            request="R-1",
            subject="u",
            tool="t",
            zones=tuple(zones),
            state="active",
            starts_at=0,
            ends_at=ends_at,
            ended_at=None,
            ended_by="",
            ended_reason="",
        )
        for number, (zones, ends_at) in enumerate(given_grants, start=1)
    ]
    merged = standing_of(grants)
    assert merged.ends_at is not None
    named = {zone for facts in merged.grants for zone in facts.zones}
    standing_then = [grant for grant in grants if grant.ends_at >= merged.ends_at]
    assert named == {zone for grant in grants for zone in grant.zones}
    assert named <= {zone for grant in standing_then for zone in grant.zones}
    assert merged.grant in {
        grant.number for grant in grants if grant.ends_at == max(g.ends_at for g in grants)
    }


def test_a_token_that_nobody_could_read_is_refused_in_words(local: LocalService) -> None:
    """A policy that doesn't fit a token is refused as GK310 with the numbers, and nothing is issued."""
    digests = ", ".join(f'"{n:064x}"' for n in range(260))
    policy = POLICY.replace("[tools.claude]", f"[tools.claude]\nidentity = [{{ sha256 = [{digests}] }}]")
    other = LocalService(local.data.parent / "other", policy=policy)
    station, _ = granted(other)
    refusal = station.launch("claude").json()
    assert refusal["code"] == "GK310"
    assert "launch token" in refusal["detail"]
    with other.store.read() as tx:
        assert tx.execute(select(status_entries)).all() == []
    other.close()


def test_a_token_is_issued_exactly_where_it_is_read(local: LocalService) -> None:
    """Near the limit there is a token that workstations read or the refusal in words: never a failure, never a dud."""
    station, _ = granted(local)
    longest, refused = 0, 0
    limit = MAX_TOKEN_BYTES * 3 // 4
    for long in range(limit - 1_500, limit - 900, 25):
        launch = f'[tools.claude.launch]\nargs_prepend = ["{"x" * long}"]\n[tools.claude]'
        with local.store.write() as tx:
            text = POLICY.replace("[tools.claude]", launch)
            apply_policy(tx, PolicyFiles(catalogue=text), by="operator", now=NOW, effective_at=NOW)
        answer = station.launch("claude")
        if answer.status_code == 200:
            assert refused == 0
            longest = len(answer.json()["access_token"])
            assert local.verified(answer.json()["access_token"]).launch.args_prepend == ("x" * long,)
        else:
            assert answer.json()["code"] == "GK310"
            refused += 1
    assert refused > 0
    assert MAX_TOKEN_BYTES - 256 < longest < MAX_TOKEN_BYTES


def test_a_key_that_fails_is_no_fault_of_the_policy(local: LocalService) -> None:
    """A signer's own failure is a bug, and isn't told as a policy that is too large."""

    class Broken:
        kid = "k" * 43

        def public_jwk(self) -> dict[str, object]:
            return {}

        def sign(self, message: bytes) -> bytes:
            raise RuntimeError("no key")

    authority = local.service.authority
    assert isinstance(authority.keys, Keys)
    keys = authority.keys.replace(approval=(Broken(),))
    local.service = local.service.replace(authority=local.service.authority.replace(keys=keys))
    station, _ = granted(local)
    from gatekeeper.service.app import make_app

    local.app = make_app(local.service)
    assert station.launch("claude").json()["code"] == "GK901"


def test_the_largest_policy_that_is_accepted_fits(local: LocalService) -> None:
    """Zones as large as the policy takes them still make a token that workstations read."""
    patterns = ", ".join(f'"github.com/acme/{"x" * 180}-{n}"' for n in range(30))
    other = LocalService(local.data.parent / "other", policy=f"{POLICY}\n[zones.big]\nremotes = [{patterns}]")
    station, _ = granted(other)
    token = station.launch("claude").json()["access_token"]
    assert len(token) < MAX_TOKEN_BYTES
    assert len(other.verified(token).exclude) == 32
    other.close()
