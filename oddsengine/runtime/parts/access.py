"""Access to an API, and how commands are made; what a reload changes of both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from oddsengine.gateway.access.admission import Admission
from oddsengine.gateway.access.authentication import Authenticator, UnusableKey
from oddsengine.gateway.access.grants import SessionLimits
from oddsengine.runtime.processes.front import is_local
from oddsengine.runtime.reload import ReloadedPart, applying

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.access.session_limiter import SessionLimiter
    from oddsengine.gateway.access.tickets import Tickets
    from oddsengine.gateway.commands.api import CommandsApi
    from oddsengine.gateway.console.sign_in import SignInApi
    from oddsengine.runtime.settings import Settings

#: What a reload changes of who is admitted.
_ACCESS_KEYS: Final = frozenset({"auth", "limits", "gateway.allowed_origins", "gateway.trusted_proxies"})
_log = structlog.get_logger(__name__)


def build_authenticator(settings: Settings) -> Authenticator:
    """Build what verifies tokens. Raises UnusableKey if a configured key is not valid."""
    limits = settings.limits
    defaults = SessionLimits(sessions=limits.sessions, channels=limits.channels, messages_per_s=limits.messages_per_s)
    # With neither keys nor a role configured, clients of other machines must not be able to command the offer.
    may_command = settings.auth.anonymous_role is not None or is_local(settings.gateway.host)
    authenticator = Authenticator(settings.auth, defaults, anonymous_commands=("*",) if may_command else ())
    authenticator.validate_keys()
    if authenticator.anonymous is not None:
        _log.warning("anonymous access enabled", role=authenticator.anonymous.role.name)
    return authenticator


def build_admission(
    settings: Settings,
    session_limiter: SessionLimiter | None = None,
    authenticator: Authenticator | None = None,
    tickets: Tickets | None = None,
) -> Admission:
    """Build the admission of requests. Raises UnusableKey if a configured key is not valid."""
    limits, gateway = settings.limits, settings.gateway
    authenticator = authenticator or build_authenticator(settings)
    origins, proxies = gateway.allowed_origins, gateway.trusted_proxies
    admission = Admission(authenticator, limits, origins, proxies, time.monotonic, session_limiter, tickets)
    admission.only_local = is_local(gateway.host)
    return admission


def commands_part(commands: CommandsApi) -> ReloadedPart:
    """Return what a reload does with how commands are made."""
    return ReloadedPart(frozenset({"commands"}), applying(lambda settings: commands.use(settings.commands)))


def sign_in_part(sign_in: SignInApi) -> ReloadedPart:
    """Return what a reload does with where people sign in."""
    return ReloadedPart(frozenset({"auth"}), applying(lambda settings: sign_in.use(settings.auth.oidc)))


def without_anonymous(settings: Settings, key: str, host: str) -> Settings:
    """Return settings that reject clients without a token if other machines can connect and no role is configured for them.

    Args:
        settings: the configuration.
        key: the key of the host.
        host: where an API other than the gateway's is served.
    """
    auth = settings.auth
    if is_local(host) or auth.keys or auth.anonymous_role is not None:
        return settings
    _log.warning("no token can be checked: set auth.keys, auth.anonymous_role or a loopback host", key=key, host=host)
    return msgspec.structs.replace(settings, auth=msgspec.structs.replace(auth, anonymous_role=""))


def access_part(admission: Admission, key: str = "", host: str = "") -> ReloadedPart:
    """Return what a reload does with who is admitted.

    Args:
        admission: admits the requests.
        key: see `without_anonymous`; empty for a gateway.
        host: likewise.
    """

    async def prepare(settings: Settings) -> Callable[[], None]:
        if key:
            settings = without_anonymous(settings, key, host)
        try:
            authenticator = build_authenticator(settings)
        except UnusableKey as error:
            raise ValueError(f"auth.keys: {error}") from error

        def apply() -> None:
            admission.use(authenticator, settings.limits)
            admission.use_networks(settings.gateway.allowed_origins, settings.gateway.trusted_proxies)

        return apply

    return ReloadedPart(_ACCESS_KEYS, prepare)
