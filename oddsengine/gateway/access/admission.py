"""Admission of requests: origin, rate, session count and token are checked before anything else is done."""

from __future__ import annotations

import asyncio
from math import ceil
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from oddsengine.common.clock import iso_time
from oddsengine.common.excerpts import echoed
from oddsengine.common.http import RequestRejected, error, json_answer
from oddsengine.common.tasks import end_tasks
from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.access.grants import Access, Role
from oddsengine.gateway.access.origins import AllowedOrigins
from oddsengine.gateway.access.proxies import has_proxy_headers, is_local_name
from oddsengine.gateway.access.published_keys import KeysUnavailable
from oddsengine.gateway.access.rate_limits import ClientAddresses, ProxyNotices, RateLimiter
from oddsengine.gateway.access.session_limiter import SessionLimiter
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.server_messages import TicketAnswer
from oddsengine.streams.connection import UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.gateway.access.authentication import Authenticator
    from oddsengine.gateway.access.settings import LimitSettings
    from oddsengine.gateway.access.tickets import Tickets

#: What a request's client may do, once that is known.
ACCESS: Final = web.RequestKey("access", Access)
_BEARER: Final = "bearer"
_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
_RETRY_LATER: Final = {"Retry-After": "5"}
_NO_TICKETS: Final = "tickets can't be issued or used now; a token can"


class Admission:
    """Admits or rejects requests.

    Args:
        authenticator: checks tokens.
        limits: what one address may use.
        allowed_origins: the pages that may connect; see `AllowedOrigins`.
        trusted_proxies: networks whose `X-Forwarded-For` header is trusted.
        clock: monotonic seconds.
        session_limiter: counts the sessions of each address and each token; None counts those of this process only.
        tickets: issues and redeems tickets; None if there are none.
    """

    def __init__(
        self,
        authenticator: Authenticator,
        limits: LimitSettings,
        allowed_origins: Sequence[str],
        trusted_proxies: Sequence[str],
        clock: Callable[[], float],
        session_limiter: SessionLimiter | None = None,
        tickets: Tickets | None = None,
    ) -> None:
        self.authenticator = authenticator
        self._exchanged = asyncio.Event()
        self.limits = limits
        self.handshakes = RateLimiter(limits.handshakes_per_s, clock)
        self.requests = RateLimiter(limits.requests_per_s, clock)
        self.origins = AllowedOrigins(allowed_origins)
        self._names_origins = bool(allowed_origins)
        #: whether only this machine can connect
        self.only_local = False
        self.addresses = ClientAddresses(trusted_proxies)
        self._session_limiter = session_limiter or SessionLimiter()
        self._tickets = tickets
        self._proxies = ProxyNotices()
        self._counts_addresses = _counts_addresses(limits)
        self.rejected_origins = 0
        self.rejected_sessions = 0

    def use(self, authenticator: Authenticator, limits: LimitSettings) -> None:
        """Admit by other keys and limits from now on. Sessions that are open stay, with what they were granted."""
        authenticator.rejected = self.authenticator.rejected
        self.authenticator = authenticator
        self._exchanged.set()
        self.limits = limits
        self.handshakes.use(limits.handshakes_per_s)
        self.requests.use(limits.requests_per_s)
        self._counts_addresses = _counts_addresses(limits)

    def use_networks(self, allowed_origins: Sequence[str], trusted_proxies: Sequence[str]) -> None:
        """Allow other pages, and trust other proxies, from now on."""
        self.origins.use(allowed_origins)
        self._names_origins = bool(allowed_origins)
        self.addresses.use(trusted_proxies)

    async def renew_keys(self) -> None:
        """Keep the published keys up to date until cancelled."""
        while True:
            self._exchanged.clear()
            renewing = asyncio.create_task(self.authenticator.renew_keys())
            exchanged = asyncio.create_task(self._exchanged.wait())
            try:
                await asyncio.wait({renewing, exchanged}, return_when=asyncio.FIRST_COMPLETED)
                if renewing.done():
                    renewing.result()
                await exchanged
            finally:
                await end_tasks([renewing, exchanged])

    async def authenticate(self, request: web.BaseRequest) -> Access | None:
        """Return what a request's token grants, or what anonymous clients may do if it has none; None if nothing.

        Raises:
            RequestRejected: if the token is not valid, or if that is not known.
        """
        header = request.headers.get("Authorization", "")
        if not header:
            return self._anonymous(request)
        scheme, _, token = header.strip().partition(" ")
        if scheme.lower() != _BEARER:  # case-insensitive (RFC 9110, section 11.1)
            raise RequestRejected(
                error(401, ErrorCode.UNAUTHORISED, "the Authorization header is not a Bearer token", _CHALLENGE)
            )
        try:
            return await self.authenticator.authenticate(token.strip())
        except Unauthorised as problem:
            raise RequestRejected(error(401, ErrorCode.UNAUTHORISED, str(problem), _CHALLENGE)) from None
        except KeysUnavailable:
            text = "the identity provider does not answer: whether the token is valid is not known"
            raise RequestRejected(error(503, ErrorCode.NOT_READY, text, _RETRY_LATER)) from None

    def _anonymous(self, request: web.BaseRequest) -> Access | None:
        """Return what a client without a token may do: if it is a foreign page, nothing that needs the role trader."""
        access = self.authenticator.anonymous
        if access is None or access.role < Role.trader or not self._is_of_foreign_page(request):
            return access
        return msgspec.structs.replace(access, role=Role.service)

    async def authenticate_stream(self, request: web.BaseRequest) -> Access | None:
        """Return what `authenticate` does, or what the ticket in a stream's URL grants, which is used up by that.

        Raises:
            RequestRejected: as `authenticate` does; if the ticket is not valid, or Redis does not answer.
        """
        tickets = request.query.getall("ticket", ())
        if not tickets:
            return await self.authenticate(request)
        if len(tickets) > 1 or "Authorization" in request.headers:
            raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, "one ticket, or a token, but not both"))
        try:
            access = None if self._tickets is None else await self._tickets.redeem(tickets[0])
        except UNAVAILABLE:
            raise RequestRejected(error(503, ErrorCode.NOT_READY, _NO_TICKETS, _RETRY_LATER)) from None
        if access is None:
            self.authenticator.rejected += 1
            text = "the ticket has expired, was used already, or is none"
            raise RequestRejected(error(401, ErrorCode.UNAUTHORISED, text, _CHALLENGE))
        return access

    async def issue_ticket(self, request: web.Request) -> web.Response:
        """Answer a request for a ticket that grants what its token does."""
        access = await self.authorise(request, Role.subscriber)
        if self._tickets is None:
            return error(503, ErrorCode.NOT_READY, _NO_TICKETS)
        try:
            ticket, expires_ms = await self._tickets.issue(access)
        except UNAVAILABLE:
            return error(503, ErrorCode.NOT_READY, _NO_TICKETS, _RETRY_LATER)
        answer = json_answer(msgspec.json.encode(TicketAnswer(ticket, iso_time(expires_ms, "milliseconds"))))
        answer.set_status(201)
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def require_access(self, request: web.Request) -> Access:
        """Return what a request's client may do.

        Raises:
            RequestRejected: if the token is not valid, or if there is none and anonymous clients are rejected.
        """
        access = _required(await self.authenticate(request))
        request[ACCESS] = access
        return access

    async def require_stream_access(self, request: web.Request) -> Access:
        """Return what a stream's client may do, by a token or a ticket. Raises RequestRejected as `require_access` does."""
        return _required(await self.authenticate_stream(request))

    async def authorise(self, request: web.Request, role: Role) -> Access:
        """Return what an HTTP request's client may do, which is at least what a role may.

        Raises:
            RequestRejected: if the client is over its rate, its token is not valid, or its role is lower; also if a page of
                another server asks without a token for what is not for every client.
        """
        self._check_rate(self.requests, request)
        if role >= Role.trader:
            self.require_own_page(request)
        access = await self.require_access(request)
        if access.role < role:
            raise RequestRejected(error(403, ErrorCode.FORBIDDEN, f"requires the role {role.name}, not {access.role.name}"))
        return access

    def require_own_page(self, request: web.Request) -> None:
        """Check that no foreign page makes a request without a token, which a browser would send for any page.

        Raises:
            RequestRejected: if its `Origin` is neither this server nor among the allowed origins that are configured.
        """
        # An empty header is no token: clients that send one are anonymous.
        if request.headers.get("Authorization") or not self._is_of_foreign_page(request):
            return
        self.rejected_origins += 1
        text = f"pages of {echoed(request.headers['Origin'])} need a token for this, or to be named in gateway.allowed_origins"
        raise RequestRejected(error(403, ErrorCode.FORBIDDEN, text))

    def _is_of_foreign_page(self, request: web.BaseRequest) -> bool:
        origin = request.headers.get("Origin")
        if origin is None or (self._names_origins and self.origins.allows(origin)):
            return False
        # The owner of any name can let it resolve to this machine: there its page has the host that it asks.
        return origin.partition("://")[2] != request.host or (self.only_local and not is_local_name(request.host))

    async def admit(self, request: web.BaseRequest, session_id: str, *, is_handshake: bool = True) -> str:
        """Count a new session against its address, and return the address for `leave`.

        Args:
            request: the request.
            session_id: the session.
            is_handshake: whether it counts towards the rate of handshakes. A page that asks why its handshake failed sends
                a request that is none: it is answered as one, and counted as any other.

        Raises:
            RequestRejected: if the origin is not allowed, or the address is over its rate or its session limit.
        """
        origin = request.headers.get("Origin")
        if origin is not None and not self.origins.allows(origin) and self._is_of_foreign_page(request):
            self.rejected_origins += 1
            raise RequestRejected(error(403, ErrorCode.FORBIDDEN, f"origin {echoed(origin)} is not allowed"))
        if not is_handshake:
            self._check_rate(self.requests, request)
        self._check_rate(self.handshakes, request, counts=is_handshake)
        address = self._client(request)
        limit = self.limits.sessions_per_address
        if limit and not await self._session_limiter.acquire(_address_key(address), session_id, limit):
            self.rejected_sessions += 1
            self._proxies.note_busy(address)
            raise RequestRejected(error(429, ErrorCode.OVER_LIMIT, f"at most {limit} sessions per address", _RETRY_LATER))
        return address

    def leave(self, address: str, session_id: str) -> None:
        """Stop counting a session against its address."""
        self._session_limiter.release(_address_key(address), session_id)

    async def acquire_session(self, access: Access, session_id: str) -> bool:
        """Count a session against its token's limit. Return False if the limit is reached."""
        limit = access.limits.sessions
        return not limit or await self._session_limiter.acquire(_token_key(access), session_id, limit)

    def release_session(self, access: Access, session_id: str) -> None:
        """Stop counting a session against its token's limit. No-op if it is not counted."""
        self._session_limiter.release(_token_key(access), session_id)

    def check_rate(self, request: web.Request) -> None:
        """Count an HTTP request that needs no token. Raises RequestRejected if its client is over its rate."""
        self._check_rate(self.requests, request)

    def _check_rate(self, limiter: RateLimiter, request: web.BaseRequest, *, counts: bool = True) -> None:
        delay_s = limiter.delay_s(self._client(request), counts=counts)
        if delay_s:
            retry = {"Retry-After": str(ceil(delay_s))}
            raise RequestRejected(error(429, ErrorCode.OVER_LIMIT, f"too many requests; retry in {delay_s:.1f} s", retry))

    def _client(self, request: web.BaseRequest) -> str:
        remote, headers = request.remote or "", request.headers
        if self._counts_addresses and has_proxy_headers(headers) and not self.addresses.is_trusted(remote):
            self._proxies.note_forwarded(remote)
        return self.addresses.client(remote, headers.getall("X-Forwarded-For", ()))


def _required(access: Access | None) -> Access:
    if access is None:
        raise RequestRejected(error(401, ErrorCode.UNAUTHORISED, "a token is required", _CHALLENGE))
    return access


def _counts_addresses(limits: LimitSettings) -> bool:
    return any((limits.sessions_per_address, limits.handshakes_per_s, limits.requests_per_s))


def _address_key(address: str) -> str:
    return f"address:{address}"


def _token_key(access: Access) -> str:
    return f"token:{access.subject}"
