"""Answers to a client about itself: who its token says it is, what that grants, and which profiles it may see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from aiohttp import web

from oddsengine.common.clock import iso_time
from oddsengine.common.http import json_answer
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.protocol.server_messages import AccountAnswer, ProfilesAnswer
from oddsengine.gateway.server.readiness import require_loaded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.hub.hub import Hub


class AccountApi:
    """Request handlers about the client that asks.

    Args:
        hub: the published profiles, and that of each client.
        admission: authorises requests.
    """

    def __init__(self, hub: Hub, admission: Admission) -> None:
        self._replica = hub.replica
        self._profile = hub.profile_of
        self._admission = admission

    def routes(self) -> list[web.RouteDef]:
        """Return the API's routes."""
        return [
            web.get("/v1/me", self._require(Role.subscriber, self.account)),
            web.get("/v1/profiles", self._require(Role.trader, self.profiles)),
        ]

    def _require(self, role: Role, handler: Callable[[Access], Awaitable[web.Response]]) -> Handler:
        async def authorised(request: web.Request) -> web.Response:
            require_loaded(self._replica)
            return await handler(await self._admission.authorise(request, role))

        return authorised

    async def account(self, access: Access) -> web.Response:
        """Return who the client is, and what it may do."""
        is_trader = access.role >= Role.trader
        answer = AccountAnswer(
            sub=access.subject,
            role=access.role.name,
            profile=self._default(access),
            profiles=self._profiles(access) if is_trader else [self._default(access)],
            channels=list(access.channels),
            commands=_granted_commands(access),
            expires=None if access.expires_s is None else iso_time(round(access.expires_s * 1000), "milliseconds"),
        )
        return json_answer(msgspec.json.encode(answer))

    async def profiles(self, access: Access) -> web.Response:
        """Return the profiles that the client may see and command."""
        answer = ProfilesAnswer(profiles=self._profiles(access), default=self._default(access))
        return json_answer(msgspec.json.encode(answer))

    def _default(self, access: Access) -> str:
        return self._profile(access) or next(iter(self._replica.offers[0].profiles), "")

    def _profiles(self, access: Access) -> list[str]:
        published = self._replica.offers[0].profiles
        own = access.profile
        return [name for name in published if own is None or access.role is Role.admin or name == own]


def _granted_commands(access: Access) -> list[str]:
    if access.role is Role.admin:
        return ["*"]
    return list(access.commands) if access.role is Role.trader else []
