"""Errors of feeds, and whose fault each is.

FeedError
+-- BadMessage          the provider's: a message can't be decoded
+-- MissingSecret       the operator's: a key or password is not where the config says
+-- ContinuityLost      the provider's or the network's: the state we hold can't be trusted any more
|   +-- WentStale       the connection is open, but the feed is silent, frozen, or never finished recovering
+-- ProviderRefused     the provider ended the session
    +-- fatal           (attribute) the operator's: the key, the login or the subscription must be changed
"""

from __future__ import annotations

from oddsengine.common.excerpts import bounded


class FeedError(Exception):
    """Base class of all errors of feeds."""


class BadMessage(FeedError):
    """A message that can't be decoded.

    Args:
        where: the part of the stream it is in.
        reason: what is wrong with it.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = bounded(where)
        self.reason = bounded(reason)
        super().__init__(f"{self.where}: {self.reason}")


class MissingSecret(FeedError):
    """A secret that is not where the config says it is.

    Args:
        what: the secret, such as `an application key`.
        variable: the environment variable that was read.
        file: the file that was read; empty if none is configured.
    """

    def __init__(self, what: str, variable: str, file: str) -> None:
        self.variable = variable
        self.file = file
        places = f"the environment variable {variable} is not set" + (f" and the file {file} can't be read" if file else "")
        super().__init__(f"{places}; the feed needs {what} there")


class ContinuityLost(FeedError):
    """The connection has ended, or can't be trusted any more.

    Args:
        reason: how it was lost.
        reset: whether the codec's state is worthless, so that the next connection must not resume from it.
    """

    def __init__(self, reason: str, *, reset: bool = False) -> None:
        self.reason = reason
        self.reset = reset
        super().__init__(reason)


class WentStale(ContinuityLost):
    """The connection is open, but the last prices may be wrong by now."""


class ProviderRefused(FeedError):
    """The provider ended the session.

    Args:
        code: the provider's error code.
        message: the provider's message.
        fatal: whether retrying is pointless until an operator has changed something.
    """

    def __init__(self, code: str, message: str, *, fatal: bool) -> None:
        self.code = code
        self.fatal = fatal
        advice = "; retrying will not help, check the feed's settings" if fatal else ""
        super().__init__(f"the provider refused: {bounded(code)}: {bounded(message)}{advice}")
