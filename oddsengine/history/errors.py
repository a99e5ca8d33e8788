"""Errors of the history.

HistoryError
+-- NotInstalled    the extra `history` is not installed: the operator must install it
+-- NoServer        the embedded server can't be started
+-- SchemaMismatch  the tables are of another release: the operator must migrate, or upgrade
+-- OtherHistory    the database holds the history of another installation
+-- Displaced       another archiver has written since we did: load the positions again
+-- Unavailable     the history can't be asked now: there is none, or its database does not answer
"""

from __future__ import annotations


class HistoryError(Exception):
    """Base class of these errors."""


class NotInstalled(HistoryError):
    """A package that is not installed everywhere is missing.

    Args:
        package: its name.
        extra: the extra of this package that brings it.
    """

    def __init__(self, package: str, extra: str = "history") -> None:
        self.package = package
        super().__init__(f"the package {package} is missing: install oddsengine[{extra}]")


class NoServer(HistoryError):
    """The embedded server can't be started."""


class SchemaMismatch(HistoryError):
    """The tables are not those of this release.

    Args:
        found: their revision; empty if there are none.
        newest: the newest that this release knows.
        is_newer: whether a newer release has made them.
    """

    def __init__(self, found: str, newest: str, *, is_newer: bool) -> None:
        self.found = found
        self.newest = newest
        if is_newer:
            advice = "run the release that made it, or a newer one; or go back with its `oddsengine history migrate --to`"
            text = f"the history has schema {found}, made by a newer release; this one knows schemas up to {newest}: {advice}"
        elif found:
            text = f"the history has schema {found}, this release needs {newest}: run `oddsengine history migrate`"
        else:
            text = "the database has no history yet: run `oddsengine history migrate`"
        super().__init__(text)


class OtherHistory(HistoryError):
    """The database holds the history of another installation.

    Args:
        found: its namespace and number of shards.
        ours: those of this installation.
    """

    def __init__(self, found: tuple[str, int], ours: tuple[str, int]) -> None:
        self.found = found
        self.ours = ours
        theirs, here = (f"namespace {namespace} with {shards} shards" for namespace, shards in (found, ours))
        super().__init__(f"the history is that of {theirs}, not of {here}: use another database, or correct the config")


class Displaced(HistoryError):
    """Another archiver has written since we did.

    Args:
        stream: the stream whose position is not where we left it.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        super().__init__(f"{stream}: another archiver has written since")


class Unavailable(HistoryError):
    """The history can't be asked now; the message says why."""
