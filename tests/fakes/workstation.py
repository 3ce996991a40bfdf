"""A workstation whose launches hold: real keys, a real root document, a signed token, kept by the real state.

`Trust` is the service's side (keys and what it signs); `enrol` and `keep` put its documents into a World, whether
a `FakeWorld` or the real one. Signing is done once a module: keys are made at import.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fakes.facts import HOUR, NOW, token
from tests.fakes.world import FakeWorld

from gatekeeper.documents.launch_token import TYP, LaunchToken
from gatekeeper.documents.launch_token_rendered import render_launch_token
from gatekeeper.strict import render_json
from gatekeeper.trust.root_documents import RootDocument, render_root_payload
from gatekeeper.trust.sign import LogKey, SigningKey, sign_root, sign_token
from gatekeeper.workstation.keeping import RootState, save_device, save_root, save_token
from gatekeeper.workstation.posix import PosixWorld
from gatekeeper.workstation.settings import Settings
from gatekeeper.workstation.state import DeviceState, TokenState, device_mark, save_high_water

if TYPE_CHECKING:
    from gatekeeper.workstation.world import World

ISSUER = "https://gk.acme.example"
UNREACHABLE_ISSUER = "http://127.0.0.1:9"  # the discard port: nobody answers there
STATE = "/home/ada/.local/state/gatekeeper"
PROFILE = f"{STATE}/profiles/default"
MANAGED = "/etc/gatekeeper/managed.json"
TOOL_PATH = "/opt/lib/node_modules/@anthropic-ai/claude-code/cli.js"


class Trust:
    """A service's keys, and what it signs with them."""

    def __init__(self) -> None:
        self.root_key, self.approval, self.gateway, self.status, self.policy = (
            SigningKey.generate() for _ in range(5)
        )
        self.log = LogKey.generate()
        self.device_key = SigningKey.generate()
        self._signed: dict[LaunchToken, bytes] = {}

    def root_document(self, **changes: object) -> bytes:
        """Sign version 1 of the root document, made an hour ago."""
        document = RootDocument(
            version=1,
            issuer=ISSUER,
            issued_at=NOW - HOUR,
            expires_at=NOW + 100 * 24 * HOUR,
            threshold=1,
            roots=(self.root_key.public,),
            approval=(self.approval.public,),
            gateway=(self.gateway.public,),
            status=(self.status.public,),
            policy=(self.policy.public,),
            log=(self.log.public,),
            log_origin="gk.acme.example",
        ).replace(**changes)
        return sign_root(render_root_payload(document), [self.root_key])

    def launch_token(self, **changes: object) -> bytes:
        """Sign a launch token for claude, issued a minute ago."""
        claims = self.claims(**changes)
        if claims not in self._signed:
            self._signed[claims] = sign_token(
                self.approval, typ=TYP, claims=render_launch_token(claims)
            ).encode()
        return self._signed[claims]

    def claims(self, **changes: object) -> LaunchToken:
        """Return what `launch_token` signs."""
        return token(jkt=self.device_key.kid).replace(**changes)


TRUST = Trust()


def settings(**changes: object) -> Settings:
    """Make the settings that go with `TRUST` and `PROFILE`."""
    return Settings(
        service=ISSUER,
        trust_roots=(TRUST.root_key.kid,),
        trust_threshold=1,
        min_root_version=0,
        profile="default",
        credential_store="file",
        allow_file_store=True,
        verifier="own",
        ca_bundle="",
        offline=False,
        no_input=True,
        managed=True,
        state_directory=STATE,
        origins=(),
    ).replace(**changes)


def enrol(
    world: World,
    directory: str = PROFILE,
    *,
    trust: Trust = TRUST,
    at: int = NOW - 60,
    document: bytes = b"",
    issuer: str = ISSUER,
) -> None:
    """Keep an enrolment, the root document and the latest time seen."""
    world.make_directory(directory)
    save_device(
        world,
        directory,
        DeviceState(
            mark=device_mark(world, directory),
            issuer=issuer,
            subject="u_1",
            name="ada@acme.example",
            device="d_1",
            jkt=trust.device_key.kid,
        ),
    )
    save_root(
        world,
        directory,
        RootState(
            pins=(trust.root_key.kid,),
            threshold=1,
            documents=(document or trust.root_document(),),
            fetched_at=at,
        ),
    )
    save_high_water(world, directory, at)


def keep(world: World, signed: bytes, directory: str = PROFILE, *, tool: str = "claude") -> None:
    """Keep a launch token as a renewal does."""
    save_token(
        world,
        directory,
        (tool,),
        TokenState(mark=device_mark(world, directory), tool=tool, executables=(tool,), token=signed),
    )


def managed_file(*, trust: Trust = TRUST, **changes: object) -> bytes:
    """Render what device management writes."""
    return render_json({"service": ISSUER, "trust_roots": [trust.root_key.kid], **changes})


def make_workstation(*, trust: Trust = TRUST, **changes: object) -> FakeWorld:
    """Make a fake workstation on which `claude` launches warm; `changes` are the token's."""
    world = FakeWorld(now=NOW)
    world.files[MANAGED] = managed_file(trust=trust)
    world.owners[MANAGED] = world.owners["/etc/gatekeeper"] = 0
    world.modes["/etc/gatekeeper"] = 0o755
    install_claude(world)
    enrol(world, trust=trust)
    keep(world, trust.launch_token(**changes))
    world.calls.clear()
    return world


def install_claude(world: FakeWorld, version: str = "2.1.3") -> None:
    """Lay claude out as npm does, with its link in /usr/bin."""
    from tests.fakes.world import Link

    world.add_executable(TOOL_PATH)
    world.files["/usr/bin/claude"] = Link(TOOL_PATH)
    package = {"name": "@anthropic-ai/claude-code", "version": version, "bin": {"claude": "cli.js"}}
    world.files[TOOL_PATH.replace("cli.js", "package.json")] = render_json(package)


class RealWorkstation:
    """The same on the real disk and clock, for tests that start processes. `tool` is a shell script."""

    def __init__(self, place: Path, *, tool: str = "", trust: Trust = TRUST, **changes: object) -> None:
        self.place = place
        self.state = place / "state"
        self.profile = self.state / "profiles" / "default"
        self.script = place / "lib/node_modules/@anthropic-ai/claude-code/cli.sh"
        self.environment = {
            "HOME": str(place / "home"),
            "PATH": f"{place / 'bin'}:/usr/bin:/bin",
            "GATEKEEPER_STATE_DIR": str(self.state),
            "GATEKEEPER_CONFIG_DIR": str(place / "config"),
            "LC_ALL": "C.UTF-8",
        }
        for folder in (place / "home", place / "bin", place / "config", self.script.parent, self.profile):
            folder.mkdir(parents=True)
        self.script.write_text(f"#!/bin/sh\n{tool}\n")
        self.script.chmod(0o755)
        package = {"name": "@anthropic-ai/claude-code", "version": "2.1.3", "bin": {"claude": "cli.sh"}}
        (self.script.parent / "package.json").write_bytes(render_json(package))
        (place / "bin" / "claude").symlink_to(self.script)
        pins = f'trust_roots = ["{trust.root_key.kid}"]'
        (place / "config" / "config.toml").write_text(f'service = "{UNREACHABLE_ISSUER}"\n{pins}\n')
        now = int(time.time())
        world = PosixWorld()
        document = trust.root_document(
            issuer=UNREACHABLE_ISSUER, issued_at=now - HOUR, expires_at=now + 90 * 24 * HOUR
        )
        enrol(
            world,
            str(self.profile),
            trust=trust,
            at=now - 60,
            document=document,
            issuer=UNREACHABLE_ISSUER,
        )
        claims: dict[str, object] = {
            "issuer": UNREACHABLE_ISSUER,
            "issued_at": now - 60,
            "not_before": now - 360,
            "expires_at": now + 24 * HOUR,
            "grant_ends": now + 30 * 24 * HOUR,
            **changes,
        }
        keep(world, trust.launch_token(**claims), str(self.profile))

    def lay_out(self, path: str) -> None:
        """Move the tool's executable to this path below the place, with nothing beside it."""
        moved = self.place / path
        moved.parent.mkdir(parents=True)
        self.script.rename(moved)
        link = self.place / "bin" / "claude"
        link.unlink()
        link.symlink_to(moved)
        self.script = moved
