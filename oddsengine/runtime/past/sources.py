"""The database of an installation's history, for a gateway that is asked about it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from oddsengine.history.errors import NotInstalled, Unavailable
from oddsengine.runtime.archiving.database import check_installed

if TYPE_CHECKING:
    from oddsengine.history.database import Database
    from oddsengine.history.settings import HistorySettings


class HistoryKeeper(Protocol):
    """The part of a process that keeps a history."""

    @property
    def database(self) -> Database | None:
        """The database, None while it can't be asked."""
        ...

    @property
    def problem(self) -> str:
        """The reason why it can't."""
        ...


class HistorySource:
    """Finds the database of the history: the configured one, or that of what keeps it in this process.

    Args:
        settings: the section of the configuration.
    """

    def __init__(self, settings: HistorySettings) -> None:
        self._settings = settings
        self._keeper: HistoryKeeper | None = None
        self._database: Database | None = None
        self._url = ""
        self._problem = "" if settings.url else "this gateway has no history: history.url is empty"
        if settings.url:
            try:
                check_installed()
            except NotInstalled as error:
                self._problem = str(error)
            else:
                # Loaded before anybody is served: it takes long enough for the event loop to miss a heartbeat.
                import_module("oddsengine.history.opening")

    @property
    def is_possible(self) -> bool:
        """Whether there can be a history."""
        return not self._problem

    def follow(self, keeper: HistoryKeeper | None) -> None:
        """Set what keeps a history in this process; None if nothing does."""
        self._keeper = keeper

    def __call__(self) -> Database:
        """Return the database.

        Raises:
            Unavailable: if there is none.
        """
        if self._problem:
            raise Unavailable(self._problem)
        if self._keeper is not None:
            if self._keeper.database is None:
                raise Unavailable(self._keeper.problem or "the history is starting")
            return self._keeper.database
        from oddsengine.history.database import open_database  # noqa: PLC0415 - the driver may be missing
        from oddsengine.history.embedded.server import running_url  # noqa: PLC0415 - the same

        url = self._settings.url
        if self._settings.is_embedded:
            url = running_url(Path(self._settings.directory)) if self._settings.directory else ""
            if not url:
                raise Unavailable("the server of the history does not run, or keeps its data where this process can't see it")
        if self._database is None or url != self._url:
            try:
                self._database, self._url = open_database(self._settings, url), url
            except ValueError as error:
                raise Unavailable(str(error)) from error
        return self._database
