"""`python -m bench SCENARIO`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.report import show

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
JsonOption = Annotated[Path | None, typer.Option("--json", help="Also write the rows to this file.")]


@app.callback()
def _root() -> None:
    """Benchmarks of the odds engine, each beside a reference measured in the same run."""


@app.command()
def pipeline(
    recording: Annotated[Path, typer.Argument(help="A Betfair recording.")] = Path("../shared/data/betfair/PRO-1.170258213.xz"),
    rounds: Annotated[int, typer.Option(help="Each side runs this often; its best counts.")] = 5,
    json: JsonOption = None,
) -> None:
    """Messages a second from recorded bytes to the source book and to encoded stream batches, beside betfairlightweight."""
    if not recording.exists():
        raise typer.BadParameter(f"{recording} does not exist; name a Betfair recording")
    from bench import pipeline as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.run(recording, rounds), json)


if __name__ == "__main__":
    app()
