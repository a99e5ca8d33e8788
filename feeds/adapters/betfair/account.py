"""A Betfair account over HTTP, without I/O: login, keep-alive, and the names of markets.

Rules (Betfair API documentation, "Non-Interactive (bot) login", "Keep Alive", "listMarketCatalogue", "Request Limits"):

- A certificate login answers `{"sessionToken","loginStatus"}`; any status but SUCCESS is a refusal.
- A session ends some hours after the last keep-alive, which answers `{"token","status"}`.
- The weight of a catalogue request is its projections times its markets, 200 at most: 100 markets with the projections used here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from feeds.adapters.betfair.account_states import ACCOUNT_TRANSITIONS, AWAITING_ANSWER, AccountState, AccountTrigger
from feeds.adapters.betfair.messages import CatalogueMarket, KeepAliveAnswer, LoginAnswer
from feeds.errors import ProviderRefused
from feeds.feed import CodecEvent, Rejected
from feeds.transports.http import Request
from oddsengine.common.excerpts import excerpt
from oddsengine.common.redaction import SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from feeds.transports.http import Response

MARKETS_PER_REQUEST: Final = 100
#: Failed requests for a market's names before it is published under its ids.
_MAX_ATTEMPTS: Final = 3
#: Login refusals that no retry resolves.
_FATAL_LOGINS: Final = frozenset(
    {"INVALID_USERNAME_OR_PASSWORD", "CERT_AUTH_REQUIRED", "ACCOUNT_CLOSED", "SUSPENDED", "NOT_AUTHORIZED_BY_REGULATOR_DK"}
)


class Login(NamedTuple):
    """Credentials of a certificate login, besides the certificate."""

    url: str
    username: str
    password: str


class AccountUrls(NamedTuple):
    """The endpoints of an account."""

    keep_alive: str
    api: str


class Account:
    """One account's session, and the names it looks up.

    Args:
        login: how to log in; None if a session token is given.
        session_token: a session token kept alive elsewhere; None if the account logs in itself.
        urls: the account's endpoints.
        keep_alive_s: the interval between keep-alives.
        names: whether to request names.
    """

    def __init__(
        self, login: Login | None, session_token: str | None, urls: AccountUrls, *, keep_alive_s: float, names: bool
    ) -> None:
        self._login = login
        self._urls = urls
        self._keep_alive_ms = round(keep_alive_s * 1000)
        self.wants_names = names
        self._state = AccountState.LOGGED_OUT if session_token is None else AccountState.IDLE
        self.session_token = session_token
        self._keep_alive_due_ms: int | None = None
        #: market -> failed requests for its names
        self._unnamed: dict[str, int] = {}
        #: called when a session has begun
        self.on_session: Callable[[], None] = lambda: None
        #: called with the names found and the markets that were requested
        self.on_names: Callable[[list[CatalogueMarket], list[str]], None] = lambda _found, _requested: None

    @property
    def state(self) -> AccountState:
        """The state of the session."""
        return self._state

    @property
    def can_log_in(self) -> bool:
        """Whether an expired session can be replaced by a new login."""
        return self._login is not None

    def expire_session(self) -> None:
        """Discard the session token. No-op if the account can't log in itself."""
        if self._login is not None:
            self.session_token = None
            self._move(AccountTrigger.SESSION_EXPIRED)

    def connection_made(self) -> None:
        """Discard the outstanding request and the markets without names: both belong to the last connection."""
        self._move(AccountTrigger.RECONNECTED)
        self._unnamed.clear()

    def request_names(self, markets: Iterable[str]) -> None:
        """Queue markets whose names are to be requested."""
        for market in markets:
            self._unnamed.setdefault(market, 0)

    def next_request(self, now_ms: int) -> Request | None:
        """Return the next request: login first, then keep-alive, then names. None while an answer is outstanding."""
        if self._state in AWAITING_ANSWER:
            return None
        request = self._login_request() if self._state is AccountState.LOGGED_OUT else self._session_request(now_ms)
        if request is not None:
            self._move(AccountTrigger.REQUEST)
        return request

    def next_due_ms(self) -> int | None:
        """Return when the next keep-alive is due (Unix milliseconds); None while an answer is outstanding."""
        return None if self._state in AWAITING_ANSWER else self._keep_alive_due_ms

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Process an answer; see `feeds.feed.Poller`."""
        self._move(AccountTrigger.ANSWER)
        what = response.request.name
        try:
            if what == "login":
                return self._receive_login(response)
            if what == "keep_alive":
                return self._receive_keep_alive(response)
            return self._receive_names(response)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [Rejected(f"answer to {what}", str(error), "")]

    # -- requests -------------------------------------------------------------------------------------------------

    def _login_request(self) -> Request | None:
        if self._login is None:
            return None
        return Request(
            name="login",
            url=self._login.url,
            method="POST",
            body=urlencode({"username": self._login.username, "password": self._login.password}).encode(),
            content_type="application/x-www-form-urlencoded",
            stand_in=b'{"sessionToken":"redacted","loginStatus":"SUCCESS"}',
            with_certificate=True,
        )

    def _session_request(self, now_ms: int) -> Request | None:
        if self._keep_alive_due_ms is None:
            self._keep_alive_due_ms = now_ms + self._keep_alive_ms
        if now_ms >= self._keep_alive_due_ms:
            self._keep_alive_due_ms = now_ms + self._keep_alive_ms
            stand_in = b'{"token":"redacted","status":"SUCCESS"}'
            return Request(name="keep_alive", url=self._urls.keep_alive, method="POST", stand_in=stand_in)
        if not self._unnamed:
            return None
        markets = list(self._unnamed)[:MARKETS_PER_REQUEST]
        query = {
            "filter": {"marketIds": markets},
            "marketProjection": ["COMPETITION", "EVENT", "RUNNER_DESCRIPTION"],
            "maxResults": len(markets),
        }
        url = f"{self._urls.api.rstrip('/')}/listMarketCatalogue/"
        return Request(name="names", key=",".join(markets), url=url, method="POST", body=msgspec.json.encode(query))

    # -- answers --------------------------------------------------------------------------------------------------

    def _receive_login(self, response: Response) -> list[CodecEvent]:
        if not response.ok:
            return [Rejected("login", _problem(response), "")]
        answer = msgspec.json.decode(response.body, type=LoginAnswer)
        if answer.login_status != "SUCCESS" or not answer.session_token:
            return [ProviderRefused(answer.login_status, "login", fatal=answer.login_status in _FATAL_LOGINS)]
        self.session_token = answer.session_token
        SECRETS.add(answer.session_token)
        self._move(AccountTrigger.LOGGED_IN)
        self._keep_alive_due_ms = response.at_ms + self._keep_alive_ms
        self.on_session()
        return []

    def _receive_keep_alive(self, response: Response) -> list[CodecEvent]:
        if not response.ok:
            self._keep_alive_due_ms = response.at_ms
            return [Rejected("keep-alive", _problem(response), "")]
        answer = msgspec.json.decode(response.body, type=KeepAliveAnswer)
        if answer.status != "SUCCESS":
            # The open stream continues; the next connection needs a new session.
            self.expire_session()
            return [Rejected("keep-alive", answer.error or answer.status, "")]
        return []

    def _receive_names(self, response: Response) -> list[CodecEvent]:
        requested = response.request.key.split(",")
        if not response.ok:
            given_up = [market for market in requested if self._unnamed.get(market, 0) + 1 >= _MAX_ATTEMPTS]
            for market in requested:
                if market in self._unnamed:
                    self._unnamed[market] += 1
            self._forget(given_up)
            self.on_names([], given_up)
            return [Rejected("names of markets", response.error_text, "")]
        found: list[CatalogueMarket] = []
        rejected: list[CodecEvent] = []
        for raw in msgspec.json.decode(response.body, type=list[msgspec.Raw]):
            try:
                found.append(msgspec.json.decode(raw, type=CatalogueMarket))
            except msgspec.DecodeError as error:
                rejected.append(Rejected("names of a market", str(error), excerpt(bytes(raw))))
        self._forget(requested)
        self.on_names(found, requested)
        return rejected

    def _forget(self, markets: list[str]) -> None:
        for market in markets:
            self._unnamed.pop(market, None)

    def _move(self, trigger: AccountTrigger) -> None:
        self._state = ACCOUNT_TRANSITIONS.get((self._state, trigger), self._state)


def _problem(response: Response) -> str:
    """Describe a failed answer without its body, which may hold a secret."""
    return response.error_text if response.status == 0 else f"HTTP {response.status}"
