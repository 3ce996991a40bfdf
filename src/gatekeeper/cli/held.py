"""What this workstation holds of approvals, verified: for commands that show it without asking the service.

Everything is checked to the pinned root as a launch would; what doesn't hold is left out, with the reason.
Whether a tool may be launched is for `decision`, through `launch.attempt`.
"""

from __future__ import annotations

from gatekeeper.decision.facts import FOREIGN, NONE, OWN, Absent
from gatekeeper.documents.catalogue import Catalogue, parse_catalogue
from gatekeeper.documents.launch_token import LaunchToken, parse_launch_token
from gatekeeper.errors import TrustError
from gatekeeper.trust.jws import verify_catalogue, verify_launch_token
from gatekeeper.trust.root import TrustedRoot, verify_chain
from gatekeeper.values import Value
from gatekeeper.workstation.state import (
    DeviceState,
    device_mark,
    list_tokens,
    load_catalogue,
    load_device,
    load_high_water,
    load_root,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.config.settings import Settings
    from gatekeeper.trust.jws import Verify
    from gatekeeper.workstation.world import World


class Held(Value):
    """The verified state. `state` is `OWN`, `FOREIGN` (copied: nothing of it counts) or `NONE`; `clock` never falls."""

    state: str
    device: DeviceState | Absent
    root: TrustedRoot | Absent
    tokens: tuple[LaunchToken, ...]
    catalogue: Catalogue | None
    clock: int

    def token(self, tool: str) -> LaunchToken | None:
        """Return the token of a tool, or None."""
        return next((token for token in self.tokens if token.tool == tool), None)

    def usable(self, tool: str) -> bool:
        """Say whether a token would launch without the service: neither lease nor grant nor root document is over."""
        token = self.token(tool)
        if token is None or isinstance(self.root, Absent) or self.clock >= self.root.expires_at:
            return False
        ends = token.expires_at if token.grant_ends is None else min(token.expires_at, token.grant_ends)
        return self.clock < ends

    def usable_tools(self) -> tuple[str, ...]:
        """Return the ids of all tools that a token would launch."""
        return tuple(token.tool for token in self.tokens if self.usable(token.tool))


def load_held(world: World, directory: str, *, settings: Settings, verify: Verify) -> Held:
    """Read and verify the state of one profile. GatekeeperError GK701 where a directory can't be read at all."""
    clock = max(world.now(), load_high_water(world, directory) or 0)
    device = load_device(world, directory)
    nothing = Held(state=NONE, device=device, root=Absent(reason="none"), tokens=(), catalogue=None, clock=clock)
    if isinstance(device, Absent):
        return nothing
    if device.mark != device_mark(world, directory) or device.issuer != settings.service:
        return nothing.replace(state=FOREIGN)
    root = _root(world, directory, settings, verify)
    held = nothing.replace(state=OWN, root=root)
    if isinstance(root, Absent):
        return held
    return held.replace(
        tokens=_tokens(world, directory, device, root, clock, verify),
        catalogue=_catalogue(world, directory, device, root, clock, verify),
    )


def _root(world: World, directory: str, settings: Settings, verify: Verify) -> TrustedRoot | Absent:
    kept = load_root(world, directory)
    if isinstance(kept, Absent):
        return kept
    try:
        return verify_chain(
            kept.documents,
            pins=settings.trust_roots,
            pin_threshold=settings.trust_threshold,
            issuer=settings.service,
            min_version=settings.min_root_version,
            verify=verify,
        )
    except TrustError as error:
        return Absent(reason=error.detail, code=error.code)


def _tokens(
    world: World, directory: str, device: DeviceState, root: TrustedRoot, clock: int, verify: Verify
) -> tuple[LaunchToken, ...]:
    tokens = []
    for kept in list_tokens(world, directory):
        if kept.mark != device.mark:
            continue
        try:
            token = parse_launch_token(
                verify_launch_token(
                    kept.token, keys=root.approval, issuer=root.issuer, now=clock, verify=verify
                )
            )
        except TrustError:
            continue  # as a launch would: absent
        if token.jkt == device.jkt and token.tool == kept.tool:
            tokens.append(token)
    return tuple(tokens)


def _catalogue(
    world: World, directory: str, device: DeviceState, root: TrustedRoot, clock: int, verify: Verify
) -> Catalogue | None:
    signed = load_catalogue(world, directory)
    if isinstance(signed, Absent):
        return None
    try:
        catalogue = parse_catalogue(
            verify_catalogue(signed, keys=root.policy, issuer=root.issuer, now=clock, verify=verify)
        )
    except TrustError:
        return None
    return catalogue if catalogue.subject == device.subject else None
