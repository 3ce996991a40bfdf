"""What anyone may read."""

from __future__ import annotations

from tests.service.local import ISSUER, NOW, LocalService

from gatekeeper.service.operate.root import reissue_root
from gatekeeper.service.store.tables.issue import root_documents
from gatekeeper.trust.library import verify_es256
from gatekeeper.trust.root_documents import verify_chain


def test_the_metadata_names_real_addresses(local: LocalService) -> None:
    """RFC 8414: the exact issuer, and addresses that are served."""
    members = local.send("GET", "/.well-known/oauth-authorization-server").json()
    assert members["issuer"] == ISSUER
    for name, value in members.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert local.send("GET", value.removeprefix(ISSUER)).status_code in {200, 303, 405}
    assert members["dpop_signing_alg_values_supported"] == ["ES256"]


def test_the_key_set_holds_gateway_keys_alone(local: LocalService) -> None:
    """No key of another purpose stands there, and no private half."""
    keys = local.send("GET", "/.well-known/jwks.json").json()["keys"]
    authority = local.service.authority.keys
    assert [key["kid"] for key in keys] == [key.kid for key in authority.gateway]
    others = {key.kid for key in (*authority.approval, *authority.status, *authority.policy)}
    assert not others & {key["kid"] for key in keys}
    assert all("d" not in key for key in keys)


def test_the_root_document_holds_to_its_pin(local: LocalService) -> None:
    """Version 1 and latest are the same document, which the printed thumbprint pins."""
    first = local.send("GET", "/.well-known/gatekeeper/root/1")
    latest = local.send("GET", "/.well-known/gatekeeper/root/latest")
    trusted = verify_chain(
        [first.content],
        pins=(local.made.trust_root,),
        pin_threshold=1,
        issuer=ISSUER,
        min_version=1,
        verify=verify_es256,
    )
    assert first.content == latest.content
    assert trusted.version == 1
    assert "immutable" in first.headers["cache-control"]
    assert latest.headers["cache-control"] == "no-cache"
    tag = {"if-none-match": first.headers["etag"]}
    assert local.send("GET", "/.well-known/gatekeeper/root/latest", headers=tag).status_code == 304


def test_latest_is_the_highest_version(local: LocalService) -> None:
    """A newer document is the latest, and the older stays where it was."""
    with local.store.write() as tx:
        tx.execute(root_documents.insert().values(version=2, document=b"{}", expires_at=NOW + 1_000))
    assert local.send("GET", "/.well-known/gatekeeper/root/latest").content == b"{}"
    assert local.send("GET", "/.well-known/gatekeeper/root/1").content != b"{}"
    assert local.send("GET", "/.well-known/gatekeeper/root/3").status_code == 404


def test_a_service_with_an_ended_root_is_not_ready(local: LocalService) -> None:
    """Readiness is 503 once nothing that is signed would be believed."""
    assert local.send("GET", "/readyz").json() == {"status": "ready"}
    local.now = NOW + 100 * 86_400
    answer = local.send("GET", "/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "GK504")


def test_a_reissued_root_is_served_and_used_at_once(local: LocalService) -> None:
    """A service that runs, even one whose root has ended, goes on with the next document without a restart."""
    station = local.workstation()
    first = local.send("GET", "/.well-known/gatekeeper/root/latest").content
    local.now = NOW + 100 * 86_400
    made = reissue_root(local.store, local.data, issuer=ISSUER, root_key_path=None, now=local.now)
    latest = local.send("GET", "/.well-known/gatekeeper/root/latest").content
    trusted = verify_chain(
        [first, latest],
        pins=(local.made.trust_root,),
        pin_threshold=1,
        issuer=ISSUER,
        min_version=2,
        verify=verify_es256,
    )
    assert (trusted.version, trusted.expires_at) == (2, local.now + 100 * 86_400)
    assert (made.version, made.document, made.expires_at) == (2, latest, trusted.expires_at)
    assert local.send("GET", "/readyz").status_code == 200
    station.redeem(local.invite())
    assert station.launch("aider").status_code == 200
