"""A Betfair account over HTTP, without I/O: logging in, keeping the session alive, and asking what markets are called.

Rules (Betfair API documentation, "Non-Interactive (bot) login", "Keep Alive", "listMarketCatalogue", "Request Limits"):

- A certificate login answers `{"sessionToken","loginStatus"}`; any status but SUCCESS is a refusal.
- A session ends some hours after the last keep-alive, which answers `{"token","status"}`.
- A catalogue question weighs its projections times its markets, 200 at most: 100 markets with what is asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import urlencode

import msgspec

from feeds.errors import ProviderRefused
from feeds.feed import CodecEvent, Rejected
from feeds.transports.http import Request
from oddsengine.common.excerpts import excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from feeds.transports.http import Response

MARKETS_A_QUESTION: Final = 100
#: How often a question for names may fail before the markets are published under their ids.
_TRIES: Final = 3
#: Refusals that no retry mends.
_FATAL_LOGINS: Final = frozenset(
    {"INVALID_USERNAME_OR_PASSWORD", "CERT_AUTH_REQUIRED", "ACCOUNT_CLOSED", "SUSPENDED", "NOT_AUTHORIZED_BY_REGULATOR_DK"}
)


class Login(NamedTuple):
    """How to log in with a certificate; the body holds the password."""

    url: str
    username: str
    password: str


class AccountUrls(NamedTuple):
    """Where an account's questions go."""

    keep_alive: str
    api: str


class CatalogueRunner(msgspec.Struct, rename="camel"):
    """A runner's name."""

    selection_id: int
    runner_name: str
    handicap: float = 0.0


class CatalogueNamed(msgspec.Struct):
    """A competition or event."""

    id: str
    name: str


class CatalogueMarket(msgspec.Struct, rename="camel"):
    """What a market, its runners, its event and its competition are called."""

    market_id: str
    market_name: str = ""
    competition: CatalogueNamed | None = None
    event: CatalogueNamed | None = None
    runners: list[CatalogueRunner] = []

    def runner_name(self, runner: int, handicap: float) -> str | None:
        """Give a runner's name; lines of one side share it."""
        by_key = {(each.selection_id, each.handicap): each.runner_name for each in self.runners}
        return by_key.get((runner, handicap)) or next(
            (each.runner_name for each in self.runners if each.selection_id == runner), None
        )


class _LoginAnswer(msgspec.Struct, rename="camel"):
    login_status: str
    session_token: str = ""


class _KeepAliveAnswer(msgspec.Struct):
    status: str
    token: str = ""
    error: str = ""


class Account:
    """One account's session and names.

    Args:
        login: how to log in; None where a session token is given.
        session_token: a session token that somebody else keeps; None where we log in.
        urls: where questions go.
        keep_alive_s: how often the session is kept alive.
        names: whether to ask for names.
    """

    def __init__(
        self, login: Login | None, session_token: str | None, urls: AccountUrls, *, keep_alive_s: float, names: bool
    ) -> None:
        self._login = login
        self._urls = urls
        self._keep_alive_ms = round(keep_alive_s * 1000)
        self.wants_names = names
        self.session_token = session_token
        self._is_asked = False
        self._keep_alive_due_ms: int | None = None
        self._unnamed: dict[str, int] = {}
        #: called when there is a session token, and with names (and the markets asked for) when they come
        self.on_session: Callable[[], None] = lambda: None
        self.on_names: Callable[[list[CatalogueMarket], list[str]], None] = lambda _found, _asked: None

    @property
    def can_log_in(self) -> bool:
        """Whether a session that ended can be begun anew."""
        return self._login is not None

    def session_ended(self) -> None:
        """Forget a session token that is good no more, if there can be another."""
        if self._login is not None:
            self.session_token = None

    def connection_made(self) -> None:
        """Forget what was under way with the last connection."""
        self._is_asked = False
        self._unnamed.clear()

    def want_names(self, markets: Iterable[str]) -> None:
        """Ask for the names of markets."""
        for market in markets:
            self._unnamed.setdefault(market, 0)

    def next_request(self, now_ms: int) -> Request | None:
        """Log in first, then keep alive, then ask for names."""
        if self._is_asked:
            return None
        request = self._next(now_ms)
        self._is_asked = request is not None
        return request

    def _next(self, now_ms: int) -> Request | None:
        if self.session_token is None:
            if self._login is None:
                return None
            body = urlencode({"username": self._login.username, "password": self._login.password}).encode()
            stand_in = b'{"sessionToken":"redacted","loginStatus":"SUCCESS"}'
            return Request(
                name="login",
                url=self._login.url,
                method="POST",
                body=body,
                content_type="application/x-www-form-urlencoded",
                stand_in=stand_in,
                with_certificate=True,
            )
        if self._keep_alive_due_ms is None:
            self._keep_alive_due_ms = now_ms + self._keep_alive_ms
        if now_ms >= self._keep_alive_due_ms:
            self._keep_alive_due_ms = now_ms + self._keep_alive_ms
            stand_in = b'{"token":"redacted","status":"SUCCESS"}'
            return Request(name="keep_alive", url=self._urls.keep_alive, method="POST", stand_in=stand_in)
        if self._unnamed:
            some = list(self._unnamed)[:MARKETS_A_QUESTION]
            question = {
                "filter": {"marketIds": some},
                "marketProjection": ["COMPETITION", "EVENT", "RUNNER_DESCRIPTION"],
                "maxResults": len(some),
            }
            url = f"{self._urls.api.rstrip('/')}/listMarketCatalogue/"
            return Request(name="names", key=",".join(some), url=url, method="POST", body=msgspec.json.encode(question))
        return None

    def next_due_ms(self) -> int | None:
        """Tell when the session must be kept alive."""
        return None if self._is_asked else self._keep_alive_due_ms

    def receive_response(self, response: Response) -> list[CodecEvent]:
        """Take an answer; see `feeds.feed.Poller`."""
        self._is_asked = False
        what = response.request.name
        try:
            if what == "login":
                return self._logged_in(response)
            if what == "keep_alive":
                return self._kept_alive(response)
            return self._named(response)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return [Rejected(f"answer to {what}", str(error), "")]

    def _logged_in(self, response: Response) -> list[CodecEvent]:
        if not response.ok:
            return [Rejected("login", response.error_text if response.status == 0 else f"HTTP {response.status}", "")]
        answer = msgspec.json.decode(response.body, type=_LoginAnswer)
        if answer.login_status != "SUCCESS" or not answer.session_token:
            return [ProviderRefused(answer.login_status, "login", fatal=answer.login_status in _FATAL_LOGINS)]
        self.session_token = answer.session_token
        self._keep_alive_due_ms = response.at_ms + self._keep_alive_ms
        self.on_session()
        return []

    def _kept_alive(self, response: Response) -> list[CodecEvent]:
        if not response.ok:
            self._keep_alive_due_ms = response.at_ms
            return [Rejected("keep-alive", response.error_text if response.status == 0 else f"HTTP {response.status}", "")]
        answer = msgspec.json.decode(response.body, type=_KeepAliveAnswer)
        if answer.status != "SUCCESS":
            # The stream goes on; the next connection needs a new session.
            self.session_ended()
            return [Rejected("keep-alive", answer.error or answer.status, "")]
        return []

    def _named(self, response: Response) -> list[CodecEvent]:
        asked = response.request.key.split(",")
        if not response.ok:
            given_up = [market for market in asked if self._unnamed.get(market, 0) + 1 >= _TRIES]
            for market in asked:
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
        self._forget(asked)
        self.on_names(found, asked)
        return rejected

    def _forget(self, markets: list[str]) -> None:
        for market in markets:
            self._unnamed.pop(market, None)
