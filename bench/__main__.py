"""The command `python -m bench`: its scenarios and their options."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from bench.reporting.errors import NotInstalled, UnreadableResults
from bench.reporting.report import show
from feeds.errors import FeedError

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
RecordingArgument = Annotated[
    Path | None, typer.Argument(help="A Betfair recording. Default: one of the simulator, unless recorded data is there.")
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Also write the rows to this file.")]
MarkdownOption = Annotated[Path | None, typer.Option(help="Also write the table of the documentation to this file.")]

# Each scenario has dependencies of its own, so it is imported when it is called.
# ruff: noqa: PLC0415


@app.callback()
def _root() -> None:
    """Benchmarks of the odds engine. Each result is compared with a reference measured in the same run."""
    # The log of the parts under test would hide the results.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


@app.command()
def pipeline(
    recording: RecordingArgument = None,
    rounds: Annotated[int, typer.Option(help="Number of runs of each variant; the best one counts.")] = 5,
    markets: Annotated[int, typer.Option(help="Number of markets of the row of many markets.")] = 50_000,
    json: JsonOption = None,
) -> None:
    """Messages per second from recorded bytes to source book and encoded stream batches, compared with betfairlightweight."""
    from bench.data.recordings import betfair_recording
    from bench.scenarios import pipeline as scenario

    show(scenario.run(betfair_recording(recording), rounds, markets), json)


@app.command()
def pricing(json: JsonOption = None) -> None:
    """Markets per second of removing and applying margin, compared with the packages shin and penaltyblog."""
    from bench.scenarios import pricing as scenario

    show(scenario.run(), json)


@app.command()
def calibration(
    folder: Annotated[
        Path, typer.Argument(help="Seasons from https://www.football-data.co.uk/data.php, *.csv or *.csv.xz.")
    ] = Path("../shared/data/football_data"),
    plot: Annotated[Path | None, typer.Option(help="Write the reliability plot to this PNG.")] = None,
    json: JsonOption = None,
) -> None:
    """Log loss and Brier score of every method against recorded results."""
    from bench.scenarios import calibration as scenario

    show(scenario.run(folder, plot), json)


@app.command()
def recordings(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of recorded data; its `betfair` has the recordings. Default: of the simulator, if there are none."
        ),
    ] = None,
    make: Annotated[Path | None, typer.Option(help="Only record the simulator to this file, the same for each seed.")] = None,
    seed: Annotated[int, typer.Option(help="With --make: the seed.")] = 7,
    json: JsonOption = None,
) -> None:
    """Open prices over their source's best lay, or risk-free to bet against it, in recordings at default settings."""
    from bench.data.recordings import write_simulated
    from bench.scenarios import recordings as scenario

    if make is not None:
        write_simulated(make, seed)
    else:
        show(scenario.run(scenario.recordings_in(folder)), json)


PlotOption = Annotated[Path | None, typer.Option("--plot", help="Also plot the rows to this PNG.")]
RateOption = Annotated[
    float | None, typer.Option("--rate", help="Deltas per second to publish. Default: search for the highest.", min=1)
]
SubscribersOption = Annotated[int, typer.Option("--subscribers", help="Number of WebSockets.", min=10, max=10_000)]


@app.command()
def fanout(
    subscribers: SubscribersOption = 1000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Frames and deltas per second to many subscribers, compared with a floor in C, websockets.broadcast and nats-server."""
    from bench.scenarios import fanout as scenario

    show(scenario.run(subscribers, rate), json, plot)


@app.command()
def peers(subscribers: SubscribersOption = 1000, json: JsonOption = None, plot: PlotOption = None) -> None:
    """Deltas per second to many subscribers, compared with nats-server, Mosquitto and uWebSockets."""
    from bench.peers import scenario

    show(scenario.run(subscribers), json, plot)


@app.command()
def latency(
    subscribers: SubscribersOption = 1000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Milliseconds from provider and from publication to many clients, also of suspensions, stalled clients, in a storm."""
    from bench.scenarios import end_to_end, gateway, subscribe_storm
    from bench.trading import suspensions

    rows = [*end_to_end.run(subscribers, rate), *suspensions.run(), *gateway.latency(subscribers, rate)]
    show([*rows, *subscribe_storm.run(subscribers)], json, plot)


@app.command()
def memory(
    subscribers: SubscribersOption = 10_000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Bytes per socket."""
    from bench.scenarios import gateway as scenario

    show(scenario.memory(subscribers, rate), json, plot)


@app.command()
def resume(
    subscribers: SubscribersOption = 5000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Seconds until all clients are up to date that reconnect at once after a restart."""
    from bench.scenarios import gateway as scenario

    show(scenario.resume(subscribers, rate), json, plot)


@app.command()
def snapshot(
    subscribers: SubscribersOption = 1000, rate: RateOption = None, json: JsonOption = None, plot: PlotOption = None
) -> None:
    """Milliseconds of price checks and market queries at half of the saturation rate."""
    from bench.scenarios import gateway as scenario

    show(scenario.snapshot(subscribers, rate), json, plot)


@app.command()
def failover(
    rounds: Annotated[int, typer.Option(help="How often each fault is injected.", min=1)] = 20,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only the faults whose name contains this, or those of this installation. May be repeated."),
    ] = None,
    parallel: Annotated[int, typer.Option(help="How many installations run at a time.", min=1)] = 3,
    markdown: MarkdownOption = None,
    json: JsonOption = None,
) -> None:
    """Measure what a subscriber sees while processes, Redis and networks fail: wrong prices, how long, and violations."""
    from bench.faults import owners as scenario
    from bench.faults.owners_markdown import table_of

    for name in only or ():
        if not scenario.select([name]):
            raise typer.BadParameter(f"no fault or installation {name!r}", param_hint="--only")
    rows = scenario.run(rounds, only or [], parallel)
    if markdown is not None:
        markdown.write_text(table_of(rows), encoding="utf-8")
    show(rows, json)


@app.command()
def ingest(
    recording: RecordingArgument = None,
    json: JsonOption = None,
) -> None:
    """Messages per second through ingest streams, compared with one process, and of two engines, compared with one."""
    from bench.data.recordings import betfair_recording
    from bench.engines import ingest as scenario

    show(scenario.run(betfair_recording(recording)), json)


@app.command()
def scale(
    subscribers: Annotated[float, typer.Option(help="Connections to plan for.", min=1)] = 1e6,
    changes: Annotated[float, typer.Option(help="Changes a second to plan for.", min=1)] = 1e6,
    followed: Annotated[int, typer.Option(help="Events that a subscriber follows.", min=1)] = 2,
    interval: Annotated[float, typer.Option(help="Seconds between the frames of a channel.", min=0.02)] = 1.0,
    core_price: Annotated[float, typer.Option(help="Price of an hour of a core.", min=0)] = 0.04,
    egress_price: Annotated[float, typer.Option(help="Price of a gigabyte that leaves.", min=0)] = 0.02,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """Measure what a change, a frame and a delta cost each role, what a second process adds, and what a large load would take."""
    from bench.scaling import scenario
    from bench.scaling.model import Load

    load = Load(
        subscribers=subscribers,
        changes_per_s=changes,
        followed=followed,
        interval_s=interval,
        core_price=core_price,
        egress_price=egress_price,
    )
    show(scenario.run(load), json, plot)


@app.command()
def soak(
    subscribers: SubscribersOption = 100,
    minutes: Annotated[float, typer.Option(help="Duration in minutes.")] = 10.0,
    rate: Annotated[float, typer.Option(help="Deltas per second to publish.", min=1)] = 10_000.0,
    json: JsonOption = None,
    plot: PlotOption = None,
) -> None:
    """A long run with churn, disconnects and stalls. In the end every client's state is compared with the snapshot."""
    from bench.scenarios import soak as scenario

    show(scenario.soak(subscribers, minutes, rate), json, plot)


@app.command()
def conformance(
    quick: Annotated[bool, typer.Option("--quick", help="Only the sections that take seconds (1-7 and 10).")] = False,
    json: JsonOption = None,
) -> None:
    """Autobahn's WebSocket cases against the gateway's socket."""
    from bench.scenarios import conformance as scenario

    show(scenario.run(quick=quick), json)


ProvidersOption = Annotated[list[str] | None, typer.Option("--provider", help="Only this provider. May be repeated.")]
EventsOption = Annotated[int, typer.Option("--events", help="Matches at each provider, of six markets.", min=1, max=500)]


def _providers(selected: list[str] | None) -> list[str]:
    from tests.support.faults.faults import FAULTS

    for name in selected or ():
        if name not in FAULTS:
            raise typer.BadParameter(f"no provider {name!r}; there are {', '.join(FAULTS)}", param_hint="--provider")
    return selected or list(FAULTS)


@app.command()
def chaos(
    provider: ProvidersOption = None,
    events: EventsOption = 40,
    markdown: MarkdownOption = None,
    json: JsonOption = None,
) -> None:
    """Every fault of every provider while its markets move: when markets left it, when all had recovered, what was wrong."""
    from bench.faults import providers as scenario

    show(scenario.run(_providers(provider), events, markdown), json)


@app.command()
def storm(
    provider: ProvidersOption = None,
    seconds: Annotated[float, typer.Option(help="Duration for each provider, in seconds.", min=30)] = 600.0,
    events: EventsOption = 40,
    json: JsonOption = None,
) -> None:
    """Continuous reconnects, and the memory of the process meanwhile."""
    from bench.faults import providers as scenario

    rows = [row for name in _providers(provider) for row in scenario.storm(name, seconds, events)]
    show(rows, json)


@app.command()
def console(
    rate: Annotated[float, typer.Option(help="Changes of markets per second.", min=1)] = 500.0,
    json: JsonOption = None,
) -> None:
    """Frame times and long tasks of the console in headless Chromium while 480 markets move and the page is used."""
    from bench.scenarios import console as scenario

    show(scenario.run(rate), json)


@app.command()
def history(
    changes: Annotated[
        int | None, typer.Option(help="How many changes it gets. Default: as many as fit in two and a half minutes.", min=20_000)
    ] = None,
    json: JsonOption = None,
) -> None:
    """Milliseconds of questions about the past, what a million changes take, changes/s archived, entries/s verified."""
    from bench.history import scenario

    show(scenario.run(changes), json)


@app.command()
def reprice(
    hours: Annotated[float, typer.Option(help="How many hours of the simulator are repriced.", min=0.1)] = 2.0,
    json: JsonOption = None,
) -> None:
    """Messages/s and memory of `oddsengine reprice` over simulated hours, priced by two configs, the same bytes twice."""
    from bench.history import repricing as scenario

    show(scenario.run(hours), json)


@app.command()
def paired(
    scenarios: Annotated[list[str], typer.Argument(help='Scenarios with their options, such as "fanout --subscribers 100".')],
    base: Annotated[Path, typer.Option(help="The other checkout, with its own .venv.", exists=True, file_okay=False)],
    rounds: Annotated[int, typer.Option(help="Runs of each scenario from each checkout.", min=1)] = 3,
    json: JsonOption = None,
) -> None:
    """Run scenarios alternately from another checkout and from this one, and compare the medians of their rows."""
    from bench import paired as comparison

    try:
        rows = comparison.run(base, scenarios, rounds)
    except comparison.RunFailed as error:
        sys.exit(f"error: {error}")
    show(rows, json)


@app.command()
def suite(
    scenarios: Annotated[
        list[str] | None, typer.Argument(help="Benchmarks, with their default options. Default: those that take minutes.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Write rows and index.html to this folder.", file_okay=False)] = Path(
        "build/results"
    ),
) -> None:
    """Run several benchmarks one after another, and write one page of their results with plots."""
    from bench.reporting import suite as several

    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback is not None}
    for name in scenarios or ():
        if name not in names - {"suite", "report", "paired"}:
            raise typer.BadParameter(f"no benchmark {name!r}; `python -m bench --help` lists them")
    sys.exit(not several.run(scenarios or several.USUAL, out))


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="Files that --json has written, or folders of them.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page.", dir_okay=False)] = Path("build/results/index.html"),
) -> None:
    """Write one page of results with plots; it needs no other file."""
    from bench.reporting.page import read_results, write_page

    write_page(read_results(results), out)
    typer.echo(f"written: {out}")


def main() -> None:
    """Run a benchmark. What is missing or can't be read ends with one line and exit code 1, not with a traceback."""
    try:
        app()
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        sys.exit(
            f"error: the package {package} is not installed: `make bench` installs what benchmarks need (requirements/bench.txt)"
        )
    except (NotInstalled, UnreadableResults, FeedError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
