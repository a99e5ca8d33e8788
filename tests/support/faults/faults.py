"""The faults each provider is tested with, and the time by which its prices must no longer be offered.

Whatever the fault, every open price must have been the provider's a moment ago.
"""

from __future__ import annotations

from typing import Final, NamedTuple

#: The limits of the installation, by what notices the fault; a cut is noticed at once.
CUT: Final = 0.0
HEARTBEAT: Final = 1.25  # two and a half heartbeats of Betfair, 500 ms each
SILENCE: Final = 1.5
QUIET: Final = 2.0


class Fault(NamedTuple):
    """One fault of a provider.

    Attributes:
        name: its name in reports.
        kinds: what the emulator does, as keys of `feeds.emulators.core.faults.KINDS`.
        seconds: how long it does it.
        limit_s: the configured limit that must notice the fault; None if nothing the provider sends is wrong, so that it may
            still be trusted.
        noticed_by: what notices it, for reports.
    """

    name: str
    kinds: tuple[str, ...]
    seconds: float
    limit_s: float | None
    noticed_by: str


_DROP: Final = Fault("connection cut", ("drop",), 1.0, CUT, "the cut")
_REORDER: Final = Fault("reordered messages", ("reorder",), 1.0, None, "time stamps")
_DUPLICATE: Final = Fault("duplicated messages", ("duplicate",), 1.0, None, "nothing: they are absolute")
_SKEW: Final = Fault("clock off by minutes", ("skew",), 1.5, None, "publish times that step back")
_GARBAGE: Final = Fault("garbage", ("garbage",), 0.5, None, "the message can't be read")
_TRUNCATE: Final = Fault("truncated message", ("truncate",), 0.5, None, "the message can't be read")
_RESTART: Final = Fault("provider restarted", ("restart",), 0.5, None, "cursors that are not known any more")
_GAP: Final = Fault("snapshot older than the stream", ("drop", "gap"), 1.0, CUT, "the cut; then time stamps")
_CERTIFICATE: Final = Fault("certificate not trusted", ("certificate",), 1.5, CUT, "the cut; then the handshake")
_HTTP_500: Final = Fault("HTTP 500 while reconnecting", ("drop", "http_500"), 1.0, CUT, "the cut")
_STREAM_STALL: Final = Fault("stall with pings answered", ("stall",), 4.0, QUIET, "the quiet limit and a verification snapshot")
_POLLED: Final = (
    Fault("connection cut", ("drop",), 3.0, SILENCE, "the age of prices"),
    Fault("half-open socket", ("half_open",), 3.5, SILENCE, "the age of prices"),
    Fault("HTTP 500", ("http_500",), 3.0, SILENCE, "the age of prices"),
    Fault("HTTP 429", ("http_429",), 3.0, SILENCE, "the age of prices"),
    Fault("HTTP timeout", ("http_timeout",), 3.5, SILENCE, "the age of prices"),
    Fault("certificate not trusted", ("certificate",), 3.0, SILENCE, "the age of prices"),
    Fault("key refused", ("unauthorised",), 1.0, 0.15, "the refusal, with the next poll"),
    _GARBAGE,
    _TRUNCATE,
    _SKEW,
)

FAULTS: Final[dict[str, tuple[Fault, ...]]] = {
    "betfair": (
        _DROP,
        Fault("half-open socket", ("half_open",), 3.0, HEARTBEAT, "missing heartbeats"),
        _STREAM_STALL,
        Fault("slow drip", ("drip",), 4.0, QUIET, "the quiet limit or the lag"),
        _GARBAGE,
        _TRUNCATE,
        _DUPLICATE,
        _REORDER,
        _RESTART,
        Fault("clk refused", ("drop", "refuse_clk"), 1.0, CUT, "the cut"),
        _CERTIFICATE,
        Fault("reports that it is behind", ("busy",), 1.5, 0.1, "status 503, with the next tick"),
        _SKEW,
    ),
    "theoddsapi": (
        *_POLLED,
        Fault("stall with requests answered", ("stall",), 4.5, QUIET + 1.0, "update times, which are whole seconds"),
        Fault("slow drip", ("drip",), 3.5, SILENCE, "the age of prices"),
        Fault("quota used up", ("quota",), 3.0, SILENCE, "the age of prices"),
    ),
    "pinnacle": (
        *_POLLED,
        Fault("stall with requests answered", ("stall",), 4.0, QUIET, "the quiet limit and a verification snapshot"),
        _RESTART,
    ),
    "opticodds": (
        _DROP,
        Fault("half-open socket", ("half_open",), 3.5, SILENCE, "missing pings"),
        _STREAM_STALL,
        Fault("slow drip", ("drip",), 4.0, QUIET, "the lag or the quiet limit"),
        _GARBAGE,
        _TRUNCATE,
        _DUPLICATE,
        _REORDER,
        _RESTART,
        _GAP,
        _HTTP_500,
        _CERTIFICATE,
        Fault("HTTP timeout while reconnecting", ("drop", "http_timeout"), 2.0, CUT, "the cut"),
        _SKEW,
    ),
    "oddsapiio": (
        _DROP,
        Fault("half-open socket", ("half_open",), 3.5, SILENCE, "unanswered pings"),
        _STREAM_STALL,
        _GARBAGE,
        _TRUNCATE,
        _DUPLICATE,
        _REORDER,
        _RESTART,
        _GAP,
        _HTTP_500,
        _CERTIFICATE,
        Fault("HTTP 429 while reconnecting", ("drop", "http_429"), 1.0, CUT, "the cut"),
        _SKEW,
    ),
}
#: The provider that each one falls back to; its prices are distinguishable.
FALLBACKS: Final = {
    "betfair": "opticodds",
    "theoddsapi": "opticodds",
    "pinnacle": "opticodds",
    "opticodds": "oddsapiio",
    "oddsapiio": "opticodds",
}
