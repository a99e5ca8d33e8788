"""The Betfair account: login, keep-alive, and the names of markets."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from feeds.adapters.betfair.account import Account, AccountUrls, Login
from feeds.adapters.betfair.codec import BetfairCodec
from feeds.adapters.betfair.messages import Subscription
from feeds.errors import ProviderRefused
from feeds.feed import Rejected, VerificationSnapshot
from feeds.recording.packet import encode_line, response_packet
from oddsengine.domain.feed_updates import EventUpdate, MarketUpdate, SourceStatus, UpdateBatch
from tests.support.builders import betfair_market, mcm
from tests.support.providers.messages import a_response

URLS = AccountUrls("https://id/keepAlive", "https://api/rest")
CONNECTION = b'{"op":"connection"}\r\n'
IN = {"sessionToken": "s3cret", "loginStatus": "SUCCESS"}
NAMES = {
    "marketId": "1.1",
    "competition": {"id": "31", "name": "Premier League"},
    "event": {"id": "900", "name": "Leeds v Fulham"},
    "runners": [{"selectionId": 11, "runnerName": "Leeds"}, {"selectionId": 22, "runnerName": "Fulham"}],
}


def an_account(*, login: bool = True, names: bool = False) -> Account:
    with_login = Login("https://id/certlogin", "me", "pa55word") if login else None
    return Account(with_login, None if login else "token", URLS, keep_alive_s=3600, names=names)


def a_codec(account: Account) -> BetfairCodec:
    codec = BetfairCodec("betfair", "key", None, Subscription(heartbeat_ms=500), account)
    codec.connection_made()
    return codec


def sent(codec: BetfairCodec) -> list[dict[str, Any]]:
    return [orjson.loads(part) for part in codec.data_to_send().split(b"\r\n") if part]


def live(codec: BetfairCodec, *markets: dict[str, Any]) -> list[Any]:
    """Subscribe a codec that has a session and apply an image. Return its events."""
    codec.receive_data(CONNECTION)
    for _ in range(2):
        codec.receive_data(orjson.dumps({"op": "status", "id": sent(codec)[0]["id"], "statusCode": "SUCCESS"}) + b"\r\n")
    return codec.receive_data(mcm(*(markets or (betfair_market(),)), ct="SUB_IMAGE", initialClk="i") + b"\r\n")


def updates(events: list[Any], kind: type) -> list[Any]:
    batches = [event for event in events if isinstance(event, UpdateBatch)]
    return [update for batch in batches for update in batch.updates if isinstance(update, kind)]


@pytest.mark.parametrize("connection_first", [True, False])
def test_a_login_authenticates_with_its_token_whether_it_or_the_connection_comes_first(connection_first: bool) -> None:
    codec = a_codec(an_account())
    if connection_first:
        codec.receive_data(CONNECTION)
        assert [] == sent(codec)
    request = codec.next_request(0)
    assert request is not None
    assert ("login", True) == (request.name, request.with_certificate)
    assert codec.next_request(0) is None, "one request at a time"
    codec.receive_response(a_response(request, IN))
    if not connection_first:
        codec.receive_data(CONNECTION)
    assert [("authentication", "s3cret")] == [(message["op"], message["session"]) for message in sent(codec)]


@pytest.mark.parametrize(
    ("status", "fatal"), [("INVALID_USERNAME_OR_PASSWORD", True), ("TEMPORARY_BAN_TOO_MANY_REQUESTS", False)]
)
def test_a_refused_login_is_fatal_only_if_no_retry_helps(status: str, fatal: bool) -> None:
    codec = a_codec(an_account())
    (refusal,) = codec.receive_response(a_response(codec.next_request(0), {"loginStatus": status}))
    assert isinstance(refusal, ProviderRefused)
    assert fatal == refusal.fatal


def test_neither_password_nor_token_is_recorded() -> None:
    account = an_account()
    request = account.next_request(0)
    line = encode_line(response_packet(a_response(request, IN)))
    assert b"pa55word" not in line
    assert b"s3cret" not in line
    assert b"redacted" in line


def test_the_session_is_kept_alive_at_the_interval() -> None:
    account = an_account()
    account.receive_response(a_response(account.next_request(0), IN, at_ms=0))
    assert account.next_request(3_599_999) is None
    assert 3_600_000 == account.next_due_ms()
    request = account.next_request(3_600_000)
    assert request is not None
    assert "keep_alive" == request.name
    assert [] == account.receive_response(a_response(request, {"status": "SUCCESS", "token": "s3cret"}, at_ms=3_600_000))
    assert account.next_request(7_199_999) is None


def test_an_expired_session_is_replaced_by_a_new_login() -> None:
    account = an_account()
    account.receive_response(a_response(account.next_request(0), IN))
    (problem,) = account.receive_response(a_response(account.next_request(3_600_000), {"status": "FAIL", "error": "NO_SESSION"}))
    assert isinstance(problem, Rejected)
    request = account.next_request(3_600_000)
    assert request is not None
    assert "login" == request.name


@pytest.mark.parametrize("login", [True, False])
def test_a_refused_token_is_fatal_only_without_a_login(login: bool) -> None:
    account = an_account(login=login)
    if login:
        account.receive_response(a_response(account.next_request(0), IN))
    codec = a_codec(account)
    codec.receive_data(CONNECTION)
    failure = {
        "op": "status",
        "id": 1,
        "statusCode": "FAILURE",
        "errorCode": "INVALID_SESSION_INFORMATION",
        "connectionClosed": True,
    }
    (refusal,) = codec.receive_data(orjson.dumps(failure) + b"\r\n")
    assert isinstance(refusal, ProviderRefused)
    assert login != refusal.fatal


def test_events_wait_for_their_names_but_prices_do_not() -> None:
    codec = a_codec(an_account(login=False, names=True))
    events = live(codec)
    assert [] == updates(events, EventUpdate)
    assert 1 == len(updates(events, MarketUpdate))
    request = codec.next_request(0)
    assert request is not None
    assert ("names", "1.1") == (request.name, request.key)
    named = codec.receive_response(a_response(request, [NAMES]))
    (event,) = updates(named, EventUpdate)
    assert ("Leeds v Fulham", "Premier League") == (event.event.name, event.event.competition.name)
    (market,) = updates(named, MarketUpdate)
    assert ["Leeds", "Fulham"] == [selection.name for selection in market.definition.selections]
    assert ["home", "away"] == [selection.key for selection in market.definition.selections]


def test_a_market_without_names_is_published_under_its_ids() -> None:
    codec = a_codec(an_account(login=False, names=True))
    live(codec)
    (event,) = updates(codec.receive_response(a_response(codec.next_request(0), [])), EventUpdate)
    assert "Event 900" == event.event.name


def test_names_are_given_up_after_three_failed_requests() -> None:
    codec = a_codec(an_account(login=False, names=True))
    live(codec)
    events = [updates(codec.receive_response(a_response(codec.next_request(0), b"down", 500)), EventUpdate) for _ in range(3)]
    assert [0, 0, 1] == [len(each) for each in events]
    assert codec.next_request(0) is None


def test_a_verification_is_an_image_under_a_new_subscription() -> None:
    codec = a_codec(an_account(login=False))
    live(codec)
    codec.request_verification()
    (again,) = sent(codec)
    assert "clk" not in again
    old, new = again["id"] - 1, again["id"]
    codec.receive_data(mcm(id=old, pt=1001) + b"\r\n")
    (sample,) = codec.receive_data(mcm(betfair_market(), id=new, ct="SUB_IMAGE", pt=1002) + b"\r\n")
    assert isinstance(sample, VerificationSnapshot)
    assert 1 == len(sample.batches)


def test_a_lag_that_ends_with_a_verification_is_reported_outside_of_it() -> None:
    codec = a_codec(an_account(login=False))
    live(codec)
    codec.receive_data(orjson.dumps({"op": "mcm", "status": 503}) + b"\r\n")
    codec.request_verification()
    (again,) = sent(codec)
    image = mcm(betfair_market(), id=again["id"], ct="SUB_IMAGE", pt=1002)
    snapshot, status = codec.receive_data(image + b"\r\n")
    assert ["live"] == [update.health for update in updates([status], SourceStatus)]
    assert isinstance(snapshot, VerificationSnapshot)
    assert [] == updates(snapshot.batches, SourceStatus)
    assert 1 == len(updates(snapshot.batches, MarketUpdate))


def test_a_message_older_than_the_last_is_refused_and_the_next_subscription_starts_from_an_image() -> None:
    codec = a_codec(an_account(login=False))
    live(codec)
    codec.receive_data(mcm(pt=5000) + b"\r\n")
    events = codec.receive_data(mcm(betfair_market(), pt=4999) + b"\r\n")
    assert isinstance(events[-1], ProviderRefused)
    assert "OUT_OF_ORDER" == events[-1].code
    codec.connection_made()
    codec.receive_data(CONNECTION)
    codec.receive_data(orjson.dumps({"op": "status", "id": sent(codec)[0]["id"], "statusCode": "SUCCESS"}) + b"\r\n")
    assert "clk" not in sent(codec)[0]
