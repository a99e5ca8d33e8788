"""What can go wrong with a provider, and whose fault it is.

FeedError
+-- BadMessage          the provider's: one message can't be read
+-- MissingSecret       the operator's: a key or password is not where the config says
+-- ContinuityLost      nobody's or the provider's: what we hold can't be trusted any more
|   +-- WentStale       it may be wrong though the connection is open: silent, frozen, or never recovered
+-- ProviderRefused     the provider's word that it will not go on
    +-- fatal           (attribute) the operator's to mend: key, login, subscription
"""

from __future__ import annotations


class FeedError(Exception):
    """Any trouble with a provider."""


class BadMessage(FeedError):
    """A message that can't be read.

    Args:
        where: the part of the stream it stands in.
        reason: what is wrong with it.
    """

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where}: {reason}")


class MissingSecret(FeedError):
    """A secret that is not where the config says it is.

    Args:
        what: what it is for, such as `an application key`.
        variable: the environment variable looked in.
        file: the file looked in, empty if none was given.
    """

    def __init__(self, what: str, variable: str, file: str) -> None:
        self.variable = variable
        self.file = file
        places = f"the environment variable {variable} is not set" + (f" and the file {file} can't be read" if file else "")
        super().__init__(f"{places}; the feed needs {what} there")


class ContinuityLost(FeedError):
    """The connection ended or can't be trusted any more.

    Args:
        reason: says how.
        reset: whether what is held of it is worth nothing, so that the next connection must not resume from it.
    """

    def __init__(self, reason: str, *, reset: bool = False) -> None:
        self.reason = reason
        self.reset = reset
        super().__init__(reason)


class WentStale(ContinuityLost):
    """What the provider said last may be wrong by now though the connection is open."""


class ProviderRefused(FeedError):
    """The provider ended the session.

    Args:
        code: the provider's error code.
        message: its words.
        fatal: that trying again can't help until an operator has changed something.
    """

    def __init__(self, code: str, message: str, *, fatal: bool) -> None:
        self.code = code
        self.fatal = fatal
        advice = "; it will not change by itself, check the feed's settings" if fatal else ""
        super().__init__(f"the provider refused: {code}: {message}{advice}")
