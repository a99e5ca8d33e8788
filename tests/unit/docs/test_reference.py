"""The reference documents list what the code has: metrics, codes, and the reasons of a suspension."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest

from oddsengine.client.recovery import TABLE, recovery_table
from oddsengine.domain.feed_updates import SourceHealth
from oddsengine.domain.market_types import MARKET_TYPES, market_types_table
from oddsengine.domain.taxonomy import MarketType
from oddsengine.gateway.protocol.codes import Close, ErrorCode
from oddsengine.runtime.processes.startup import exit_codes
from oddsengine.runtime.telemetry.metrics import metrics_table

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[3]
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("document", "module", "table"),
    [("metrics", "telemetry.metrics", metrics_table), ("running", "processes.startup", exit_codes)],
)
def test_a_table_is_that_of_the_code(document: str, module: str, table: Callable[[], str]) -> None:
    text = (ROOT / "docs" / f"{document}.md").read_text(encoding="utf-8")
    start, end = f"<!-- table: python -m oddsengine.runtime.{module} -->\n", "\n<!-- end of table -->"
    assert table() == text.partition(start)[2].partition(end)[0]


def test_the_table_of_market_types_is_that_of_the_code() -> None:
    text = (ROOT / "docs" / "market-types.md").read_text(encoding="utf-8")
    start, end = "<!-- table: python -m oddsengine.domain.market_types -->\n", "\n\n<!-- end of table -->"
    assert market_types_table() == text.partition(start)[2].partition(end)[0]
    assert get_args(MarketType) == tuple(MARKET_TYPES)


def test_the_table_of_what_a_client_does_is_that_of_the_code() -> None:
    start, end = "<!-- table: python -m oddsengine.client.recovery -->\n", "\n<!-- end of table -->"
    assert recovery_table() == PROTOCOL.partition(start)[2].partition(end)[0]


def test_a_client_knows_every_code() -> None:
    assert {code.value for code in ErrorCode} == {code for code, row in TABLE.items() if row.kind == "error"}
    sent_by_gateways = {str(code.value) for code in Close if code is not Close.INTERNAL}
    assert sent_by_gateways <= {code for code, row in TABLE.items() if row.kind == "close"}


@pytest.mark.parametrize("code", ErrorCode)
def test_every_error_code_is_documented(code: ErrorCode) -> None:
    assert re.search(rf"^\| `{code.value}` \|", PROTOCOL, re.MULTILINE)


def test_every_closing_code_is_documented() -> None:
    codes = PROTOCOL.partition("Closing codes: ")[2].partition("\n\n")[0]
    assert [] == [code for code in Close if str(code.value) not in codes]


@pytest.mark.parametrize("health", [each for each in get_args(SourceHealth) if each != "live"])
def test_the_reason_of_each_unhealthy_source_is_documented(health: str) -> None:
    assert f"`source_{health}`" in PROTOCOL


def test_no_document_has_a_placeholder() -> None:
    documents = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    assert [] == [str(document) for document in documents if re.search("PLACEHOLDER|TODO", document.read_text(encoding="utf-8"))]
