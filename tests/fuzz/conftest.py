"""Reports what was tried, in this process and in those of pytest-xdist."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fuzz.budget import tried


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand what a worker has tried to the process that reports."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["fuzz"] = [[target, outcome, count] for (target, outcome), count in tried.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Add what a worker has tried."""
    for target, outcome, count in getattr(node, "workeroutput", {}).get("fuzz", ()):
        tried[target, outcome] += count


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many inputs of each target had which outcome."""
    targets = sorted({target for target, _ in tried})
    for target in targets:
        outcomes = {outcome: count for (name, outcome), count in sorted(tried.items()) if name == target}
        listed = ", ".join(f"{outcome} {count:,}" for outcome, count in outcomes.items())
        terminalreporter.write_line(f"fuzz: {target}: {sum(outcomes.values()):,} inputs: {listed}")
    if targets:
        terminalreporter.write_line(f"fuzz: {sum(tried.values()):,} inputs in all")
