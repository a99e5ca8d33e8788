"""The option `--forks`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.support.forks.dealer import Dealer

if TYPE_CHECKING:
    from _pytest.config.argparsing import Parser

#: How many of those that need a machine that is not busy run at a time: most of each is waiting.
_ALONE: Final = 4


def pytest_addoption(parser: Parser) -> None:
    """Add the option."""
    text = "run tests in this number of processes, forked once all are collected; those marked `alone` after the others"
    parser.addoption("--forks", type=int, default=0, help=text)


def is_forking(config: pytest.Config) -> bool:
    """Check whether tests are run in other processes."""
    return bool(config.getoption("forks")) and not config.getoption("collectonly")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Run the tests in other processes, if that is asked for."""
    if not is_forking(session.config) or session.testsfailed:
        return None
    reporter = session.config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        reporter.showfspath = False
    dealer = Dealer(session)
    alone = [item for item in session.items if item.get_closest_marker("alone")]
    usual = [item for item in session.items if not item.get_closest_marker("alone")]
    dealer.run(usual, session.config.getoption("forks"))
    dealer.run(alone, _ALONE, one_by_one=True)
    return True
