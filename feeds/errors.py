"""What can go wrong with a provider, and whose fault it is.

FeedError
+-- BadMessage          the provider's: one message can't be read
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
