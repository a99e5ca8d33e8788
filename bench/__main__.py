"""`python -m bench SCENARIO`."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from bench.reporting.errors import NotInstalled
from bench.reporting.report import show

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)
JsonOption = Annotated[Path | None, typer.Option("--json", help="Also write the rows to this file.")]


@app.callback()
def _root() -> None:
    """Benchmarks of the odds engine, each beside a reference measured in the same run."""
    # What the parts log is not what was asked for.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@app.command()
def pipeline(
    recording: Annotated[Path, typer.Argument(help="A Betfair recording.")] = Path("../shared/data/betfair/PRO-1.170258213.xz"),
    rounds: Annotated[int, typer.Option(help="Each side runs this often; its best counts.")] = 5,
    json: JsonOption = None,
) -> None:
    """Messages a second from recorded bytes to the source book and to encoded stream batches, beside betfairlightweight."""
    if not recording.exists():
        raise typer.BadParameter(f"{recording} does not exist; name a Betfair recording")
    from bench.scenarios import pipeline as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.run(recording, rounds), json)


@app.command()
def pricing(json: JsonOption = None) -> None:
    """Markets a second for removing and applying margin, beside the packages shin and penaltyblog."""
    from bench.scenarios import pricing as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.run(), json)


@app.command()
def calibration(
    folder: Annotated[Path, typer.Argument(help="Seasons as football-data.co.uk gives them, *.csv.xz.")] = Path(
        "../shared/data/football_data"
    ),
    plot: Annotated[Path | None, typer.Option(help="Draw the reliability plot to this PNG.")] = None,
    json: JsonOption = None,
) -> None:
    """Log loss and Brier score of every method against recorded results."""
    from bench.scenarios import calibration as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    try:
        rows = scenario.run(folder, plot)
    except FileNotFoundError as error:
        raise typer.BadParameter(str(error)) from error
    show(rows, json)


PlotOption = Annotated[Path | None, typer.Option("--plot", help="Also draw the rows to this PNG.")]
RateOption = Annotated[float | None, typer.Option("--rate", help="Deltas a second to publish; else it finds the rate.", min=1)]
SubscribersOption = Annotated[int, typer.Option("--subscribers", help="How many WebSockets.", min=10, max=10_000)]


@app.command()
def fanout(
    subscribers: SubscribersOption = 1000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Frames and deltas a second to many subscribers, beside a floor in C, websockets.broadcast and nats-server."""
    from bench.scenarios import fanout as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.run(subscribers, rate), json, plot)


@app.command()
def latency(
    subscribers: SubscribersOption = 1000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Milliseconds to a thousand clients, from the provider and from publishing; with some not reading, with others joining."""
    from bench.scenarios import end_to_end, gateway, subscribe_storm  # noqa: PLC0415 - each scenario brings its own dependencies

    show([*end_to_end.run(subscribers, rate), *gateway.latency(subscribers, rate), *subscribe_storm.run(subscribers)], json, plot)


@app.command()
def memory(
    subscribers: SubscribersOption = 10_000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Bytes a socket."""
    from bench.scenarios import gateway as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.memory(subscribers, rate), json, plot)


@app.command()
def resume(
    subscribers: SubscribersOption = 5000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Seconds until everybody is current who comes back at once after a restart."""
    from bench.scenarios import gateway as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.resume(subscribers, rate), json, plot)


@app.command()
def snapshot(
    subscribers: SubscribersOption = 1000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Milliseconds of price checks and market queries while the gateway is half busy."""
    from bench.scenarios import gateway as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.snapshot(subscribers, rate), json, plot)


@app.command()
def soak(
    subscribers: SubscribersOption = 100,
    minutes: Annotated[float, typer.Option(help="How long.")] = 10.0,
    rate: Annotated[float, typer.Option(help="Deltas a second to publish.", min=1)] = 10_000.0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """A long run with churn, disconnects and stalls; what clients end with is compared with the snapshot."""
    from bench.scenarios import soak as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.soak(subscribers, minutes, rate), json, plot)


@app.command()
def conformance(
    quick: Annotated[bool, typer.Option("--quick", help="Only the sections that take seconds (1-7 and 10).")] = False,
    json: JsonOption = None,
) -> None:
    """Autobahn's WebSocket cases against the gateway's own socket."""
    from bench.scenarios import conformance as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.run(quick=quick), json)


ProvidersOption = Annotated[list[str] | None, typer.Option("--provider", help="Only this one; may be repeated.")]
EventsOption = Annotated[int, typer.Option("--events", help="Matches at each provider, of six markets.", min=1, max=500)]


def _providers(wanted: list[str] | None) -> list[str]:
    from tests.support.faults.faults import FAULTS  # noqa: PLC0415 - each scenario brings its own dependencies

    for name in wanted or ():
        if name not in FAULTS:
            raise typer.BadParameter(f"no provider {name!r}; there are {', '.join(FAULTS)}", param_hint="--provider")
    return wanted or list(FAULTS)


@app.command()
def chaos(
    provider: ProvidersOption = None,
    events: EventsOption = 40,
    markdown: Annotated[Path | None, typer.Option(help="Also write docs/operations.md's table to this file.")] = None,
    json: JsonOption = None,
) -> None:
    """Every fault of every provider while its markets move: when they left it, when all was well again, what was wrong."""
    from bench.scenarios import faults as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    show(scenario.run(_providers(provider), events, markdown), json)


@app.command()
def storm(
    provider: ProvidersOption = None,
    seconds: Annotated[float, typer.Option(help="How long, for each provider.", min=30)] = 600.0,
    events: EventsOption = 40,
    json: JsonOption = None,
) -> None:
    """Reconnects without end, and what the process holds in memory meanwhile."""
    from bench.scenarios import faults as scenario  # noqa: PLC0415 - each scenario brings its own dependencies

    rows = [row for name in _providers(provider) for row in scenario.storm(name, seconds, events)]
    show(rows, json)


if __name__ == "__main__":
    try:
        app()
    except NotInstalled as missing:
        sys.exit(f"error: {missing}")
