"""One HTML page of the rows that benchmarks have written as JSON: a table and a plot for each file, and what misses its goal."""

from __future__ import annotations

import base64
import io
import os
import platform
from datetime import UTC, datetime
from html import escape
from typing import TYPE_CHECKING, Final

import msgspec

from bench.reporting.errors import UnreadableResults
from bench.reporting.plot import write_plot
from bench.reporting.report import shown
from bench.reporting.row import Row
from oddsengine import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_HEADINGS: Final = ("scenario", "metric", "value", "unit", "reference", "ratio", "goal", "met")
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #1d2329; }
table { border-collapse: collapse; width: 100%; } img { max-width: 100%; }
th, td { text-align: left; padding: .2rem .6rem; border-bottom: 1px solid #d5dae0; }
td:nth-child(3), td:nth-child(6), td:nth-child(7) { text-align: right; font-variant-numeric: tabular-nums; }
tr.missed td { background: #fbe9e7; } pre { background: #f3f5f7; padding: .6rem; white-space: pre-wrap; }
@media (prefers-color-scheme: dark) { body { background: #14181c; color: #e4e8ec; } tr.missed td { background: #4a2320; }
  pre { background: #20262c; } img { background: #fff; } th, td { border-color: #39424b; } }
"""
_decode: Final = msgspec.json.Decoder(list[Row]).decode


def read_results(paths: Sequence[Path]) -> dict[str, list[Row]]:
    """Read rows by the names of their files.

    Args:
        paths: files that `--json` has written, or folders of them.

    Raises:
        UnreadableResults: if one is missing or holds no rows, or there is none.
    """
    files = [file for path in paths for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    found: dict[str, list[Row]] = {}
    for file in files:
        try:
            found[file.stem] = _decode(file.read_bytes())
        except OSError as error:
            raise UnreadableResults(f"{file}: {error.strerror}") from error
        except msgspec.DecodeError as error:
            raise UnreadableResults(f"{file} has no results of a benchmark: {error}") from error
    if not found:
        raise UnreadableResults(
            f"no results in {', '.join(map(str, paths))}: write some with --json, or by `python -m bench suite`"
        )
    return found


def write_page(results: Mapping[str, Sequence[Row]], file: Path, failed: Mapping[str, str] | None = None) -> None:
    """Write the page; it needs no other file.

    Args:
        results: rows by the name of their benchmark.
        file: the page; replaced if it exists.
        failed: why other benchmarks have no rows.
    """
    failed = failed or {}
    missed = [row for rows in results.values() for row in rows if row.met is False]
    goals = sum(row.met is not None for rows in results.values() for row in rows)
    where = f"Python {platform.python_version()}, {platform.machine()}, {len(os.sched_getaffinity(0))} processors"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>Benchmarks of the odds engine</title><style>{_STYLE}</style>",
        f"<h1>Benchmarks of the odds engine {__version__}</h1>",
        f"<p>{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {where}. {goals - len(missed)} of {goals} goals met.",
        "Absolute values are those of this machine; ratios hold.</p>",
    ]
    for name, rows in results.items():
        parts += [f"<h2>{escape(name)}</h2>", _table(rows), _plot(name, rows)]
    parts += [f"<h2>{escape(name)}</h2><pre>{escape(why)}</pre>" for name, why in failed.items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(parts) + "\n", encoding="utf-8")


def _table(rows: Sequence[Row]) -> str:
    lines = ["<table><tr>" + "".join(f"<th>{heading}</th>" for heading in _HEADINGS) + "</tr>"]
    for row in rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in shown(row))
        lines.append(f"<tr{' class=missed' if row.met is False else ''}>{cells}</tr>")
    return "\n".join([*lines, "</table>"])


def _plot(name: str, rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    drawn = io.BytesIO()
    write_plot(rows, drawn)
    source = f"data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()}"
    return f"<p><img alt='Bars of the table of {escape(name)}' src='{source}'>"
