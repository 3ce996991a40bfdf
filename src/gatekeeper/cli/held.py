"""What this workstation holds of approvals, verified: for commands that show it without asking the service.

Everything is checked to the pinned root as a launch would; what doesn't hold is left out, with the reason.
Whether a tool may be launched is for `decision`, through `launch.attempt`.
"""

from __future__ import annotations

from gatekeeper.decision.facts import OWN, Absent
from gatekeeper.documents.catalogue import Catalogue, parse_catalogue
from gatekeeper.documents.launch_token import LaunchToken
from gatekeeper.errors import TrustError
from gatekeeper.launch.attempt import Holding, held_token, look
from gatekeeper.trust.chain import TrustedRoot
from gatekeeper.trust.published import policy_keys, verify_catalogue
from gatekeeper.values import Value
from gatekeeper.workstation.keeping import list_tokens, load_catalogue
from gatekeeper.workstation.state import DeviceState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gatekeeper.trust.chain import Verify
    from gatekeeper.workstation.settings import Settings
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


def load_held(world: World, *, settings: Settings, verify: Verify) -> Held:
    """Read and verify the state of one profile. GatekeeperError as `launch.attempt.look`; GK701 for an unreadable folder."""
    seen = look(world, settings, verify=verify)
    clock = max(world.now(), seen.high_water or 0)
    held = Held(state=seen.state, device=seen.device, root=seen.root, tokens=(), catalogue=None, clock=clock)
    if seen.state != OWN or isinstance(seen.device, Absent):
        return held.replace(root=Absent(reason="nobody is signed in here"))
    if isinstance(seen.root, Absent):
        return held
    found = [held_token(kept, seen, settings, verify=verify) for kept in list_tokens(world, seen.directory)]
    return held.replace(
        tokens=tuple(token for token in found if isinstance(token, LaunchToken)),
        catalogue=_catalogue(world, seen, verify=verify),
    )


def _catalogue(world: World, seen: Holding, *, verify: Verify) -> Catalogue | None:
    signed = load_catalogue(world, seen.directory)
    if isinstance(signed, Absent) or isinstance(seen.root, Absent) or isinstance(seen.device, Absent):
        return None
    try:
        catalogue = parse_catalogue(
            verify_catalogue(signed, keys=policy_keys(seen.root), issuer=seen.root.issuer, verify=verify)
        )
    except TrustError:
        return None  # as if there were none; a renewal brings one that holds
    return catalogue if catalogue.subject == seen.device.subject else None
