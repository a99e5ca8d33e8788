"""The recovery of a client from every refusal, closing code and loss: the table in docs/protocol.md, written by this module.

    python -m oddsengine.client.recovery

`packages/js/src/recovery.js` has the same rows; a test compares them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, NamedTuple


class Action(StrEnum):
    """The next step of a client, as the documentation says it."""

    BACK_OFF = "reconnects with backoff"
    WAIT = "reconnects after `Retry-After` if there is one, else with long backoff"
    AS_ASKED = "reconnects `reconnect_ms` after the `bye`, or with backoff if there was none"
    RESTRAIN = "reconnects with long backoff; its requests are smaller and slower from then on"
    RESTART = "reconnects with backoff and asks for snapshots: what it has may be of another profile"
    ASK_TOKEN = "asks for a token and reconnects with it; gives up if there is none, or only the one that was refused"  # noqa: S105 - no token
    GIVE_UP = "gives up"
    ASK_AGAIN = "shows nothing of the channels and asks again with backoff"
    ASK_WITH_TOKEN = "shows nothing of the channels and asks again once it has another token"  # noqa: S105 - no token
    ASK_FOR_SNAPSHOT = "asks again for a snapshot; if that is refused too, as `unknown_channel`"
    REPORT = "goes on"


class Row(NamedTuple):
    """A row of the table."""

    kind: str
    meaning: str
    action: Action


#: HTTP statuses of the handshake, closing codes, error codes of requests, and losses without a code.
TABLE: Final[dict[str, Row]] = {
    "401": Row("status", "the token is missing, expired or not valid", Action.ASK_TOKEN),
    "403": Row("status", "the page's origin, or what the token grants", Action.GIVE_UP),
    "404": Row("status", "not a stream's URL", Action.GIVE_UP),
    "408": Row("status", "the request took too long", Action.WAIT),
    "425": Row("status", "too early", Action.WAIT),
    "429": Row("status", "too many handshakes or sessions", Action.WAIT),
    "4xx": Row("status", "any other client error", Action.GIVE_UP),
    "5xx": Row("status", "the gateway or a proxy is not ready", Action.WAIT),
    "other": Row("status", "a success without an upgrade, or a redirection that leads to no stream", Action.WAIT),
    "1009": Row("close", "a request was too long", Action.RESTRAIN),
    "1012": Row("close", "the gateway restarts", Action.AS_ASKED),
    "1013": Row("close", "the gateway is overloaded, or this client has not read for too long", Action.WAIT),
    "4400": Row("close", "the gateway does not understand this client", Action.WAIT),
    "4401": Row("close", "the token is missing, expired or not valid", Action.ASK_TOKEN),
    "4403": Row("close", "a new token is of another profile", Action.RESTART),
    "4408": Row("close", "no token in time", Action.ASK_TOKEN),
    "4429": Row("close", "too many sessions with this token, or too many messages", Action.RESTRAIN),
    "closed": Row("close", "any other code, also none", Action.BACK_OFF),
    "unreachable": Row("loss", "no connection: name, port, proxy, certificate, timeout", Action.BACK_OFF),
    "silence": Row("loss", "no message for 2.5 heartbeats; after 1.5 everything is `stale`", Action.BACK_OFF),
    "protocol": Row("loss", "what answers does not speak `odds.v1`", Action.WAIT),
    "token": Row("loss", "the token function failed", Action.BACK_OFF),
    "unknown_channel": Row("error", "not on offer now; it may come back", Action.ASK_AGAIN),
    "over_limit": Row("error", "too many channels; others may be given up", Action.ASK_AGAIN),
    "not_ready": Row("error", "the gateway is not current", Action.ASK_AGAIN),
    "internal": Row("error", "a fault of the gateway", Action.ASK_AGAIN),
    "not_found": Row("error", "as `unknown_channel`", Action.ASK_AGAIN),
    "forbidden": Row("error", "the token does not grant the channels, or not any more", Action.ASK_WITH_TOKEN),
    "bad_request": Row("error", "a position that is not this service's", Action.ASK_FOR_SNAPSHOT),
    "unsupported_format": Row("error", "not an odds format", Action.GIVE_UP),
    "bad_message": Row("error", "the gateway does not understand a request", Action.ASK_AGAIN),
    "unauthorised": Row("error", "a new token is not valid; the socket is closed with 4401", Action.REPORT),
}

_MIN_LEFT_S: Final = 0.2
_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)


_DOUBLINGS_BEFORE_STEADY: Final = 3


class Timing(NamedTuple):
    """The waits of a client. A wait is drawn between 0 and a limit that doubles with each failure (full jitter).

    Attributes:
        backoff_s, max_backoff_s: the first and the greatest limit after a loss.
        steady_retries: for how many retries the limit after a loss stays at eight times the first before it grows on: what is
            lost for some seconds is found again within one.
        long_backoff_s, max_long_backoff_s: the same after a refusal of a gateway that has too much to do.
        max_refused_s: the greatest limit for channels that are refused; the first is that of long backoff.
        max_asked_s: the longest wait that `Retry-After` or a `bye` may ask for.
        settled_after_s: how long a connection must have lasted for the next failure to count as the first.
        served_after_s: how long it must have lasted for the next loss to count as the first.
        welcome_s: how long the connection may take, and then the first message, at most.
        first_welcome_s: how long one may take as a rule, but four times as long as the quickest of the last three. Each that took
            longer grants the next one half as long again.
        min_welcome_s: the same after a connection that fell silent.
        renew_share, renew_before_s: a token is replaced when this share of its life is left, or so many seconds.
        token_s: how long the function for tokens may take.
        draw: draws a wait between two limits.
    """

    backoff_s: float = 0.1
    max_backoff_s: float = 5.0
    steady_retries: int = 25
    long_backoff_s: float = 1.0
    max_long_backoff_s: float = 30.0
    max_refused_s: float = 10.0
    max_asked_s: float = 3600.0
    settled_after_s: float = 10.0
    served_after_s: float = 2.0
    welcome_s: float = 10.0
    first_welcome_s: float = 3.0
    min_welcome_s: float = 1.0
    renew_share: float = 0.2
    renew_before_s: float = 60.0
    token_s: float = 30.0
    draw: Callable[[float, float], float] = random.uniform

    def backoff(self, failures: int, *, long: bool = False) -> float:
        """Draw a wait in seconds.

        Args:
            failures: how many there have been before in a row.
            long: whether it is long backoff.
        """
        if long:
            return self._draw(self.long_backoff_s, self.max_long_backoff_s, failures)
        doublings = min(failures, max(_DOUBLINGS_BEFORE_STEADY, failures - self.steady_retries))
        return self._draw(self.backoff_s, self.max_backoff_s, doublings)

    def ask_again_in_s(self, refusals: int) -> float:
        """Draw the seconds until a refused channel is asked for again.

        Args:
            refusals: how often it has been refused before in a row.
        """
        return self._draw(self.long_backoff_s, self.max_refused_s, refusals)

    def _draw(self, start_s: float, max_s: float, failures: int) -> float:
        return self.draw(0, min(max_s, start_s * 2 ** min(failures, 30)))

    def renew_in_s(self, left_s: float) -> float | None:
        """Return in how many seconds to ask for the next token; None if the present one has almost or already expired.

        Then this machine's clock is wrong, or the gateway is about to close the connection, after which the client asks anyway.

        Args:
            left_s: how long the present one is still valid, by this machine's clock.
        """
        return left_s - min(self.renew_before_s, left_s * self.renew_share) if left_s > _MIN_LEFT_S else None


def code_of_status(status: int) -> str:
    """Return the row of an HTTP status."""
    if str(status) in TABLE:
        return str(status)
    if status in _CLIENT_ERRORS:
        return "4xx"
    return "5xx" if status in _SERVER_ERRORS else "other"


def code_of_closing(code: int | None) -> str:
    """Return the row of a closing code; None if there was none."""
    name = str(code)
    return name if name in TABLE and TABLE[name].kind == "close" else "closed"


def code_of_error(code: str) -> str:
    """Return the row of an error code: that of `internal` for one that a later gateway may send."""
    return code if code in TABLE and TABLE[code].kind == "error" else "internal"


def retry_after_s(value: str | None, now_s: Callable[[], float]) -> float | None:
    """Return the seconds that a `Retry-After` header asks for (RFC 9110, 10.2.3); None if there is no valid one.

    Args:
        value: seconds, or a date.
        now_s: the wall clock, Unix seconds.
    """
    if value is None:
        return None
    if value.isascii() and value.strip().isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s())
    except ValueError:
        return None


def recovery_table() -> str:
    """Return the table as Markdown."""
    kinds = {"status": "handshake", "close": "closing code", "loss": "loss", "error": "error"}
    rows = [f"| {kinds[row.kind]} | `{code}` | {row.meaning} | {row.action} |" for code, row in TABLE.items()]
    return "\n".join(["| what | code | meaning | what a client does |", "| --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    sys.stdout.write(recovery_table() + "\n")
