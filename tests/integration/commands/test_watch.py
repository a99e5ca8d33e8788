"""`oddsengine watch` says what is wrong, and retries or ends."""

from __future__ import annotations

import asyncio
import io
import json
import signal
from contextlib import asynccontextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console
from rich.live import Live

from oddsengine.cli.watching.filters import Filter
from oddsengine.cli.watching.lines import Lines
from oddsengine.cli.watching.watch import _refresh, _Table, watch
from oddsengine.client import OddsClient, OddsState
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.clients.front import Answer, Send, front_of
from tests.support.credentials import SECRET, Certificates, write_key
from tests.support.processes.forked import COMMAND, run
from tests.support.processes.ports import free_port
from tests.support.service import PATIENCE_S, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.support.service import RunningService

CHANNEL = "event:e1"


async def problem_of(url: str, ca: Path | None = None) -> str:
    """Watch once, in this process. Return the problem that ends it."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            await watch(url, [CHANNEL], once=True, ca=ca)
    except ValueError as error:
        return str(error)
    return ""


async def with_a_market(service: RunningService) -> None:
    service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
    await service.wait_published()


@asynccontextmanager
async def a_banner() -> AsyncIterator[str]:
    """A server that is no gateway and does not even speak HTTP."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_once_ends_with_what_is_wrong() -> None:
    port = free_port()
    async with (
        running_service() as service,
        front_of(service.base, Answer(404)) as page,
        front_of(service.base, Answer(503)) as busy,
        front_of(service.base, Send("hello")) as other,
        a_banner() as banner,
    ):
        for url, text in {
            f"127.0.0.1:{port}": "connection refused",
            f"localhost:{port}": "connection refused",
            "nowhere.invalid:8080": "the name can't be resolved",
            page.url: "answered 404 (Not Found): not an odds stream",
            busy.url: "answered 503",
            other.url: "is not an odds stream",
            banner: "is not an odds stream",
            service.base.replace("http", "https"): "TLS failed",
            "ftp://127.0.0.1": "not a URL of http, https, ws or wss",
            service.base: "event 'e1' is not on offer",
        }.items():
            assert text in (found := await problem_of(url))
            assert "\n" not in found


@pytest.mark.parametrize(
    ("variable", "scheme", "text"),
    [
        ("http_proxy", "http", "through the proxy 127.0.0.1:{port}: connection refused"),
        ("socks_proxy", "socks5", "through the proxy 127.0.0.1:{port}: the proxy can't be used: "),
        ("http_proxy", "gopher", "the proxy can't be used: scheme gopher isn't supported"),
    ],
)
async def test_a_proxy_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str, text: str
) -> None:
    port = free_port()
    monkeypatch.setenv(variable, f"{scheme}://somebody:secret@127.0.0.1:{port}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    problem = await problem_of("gateway.example")
    assert text.format(port=port) in problem
    assert "secret" not in problem


async def test_certificates_of_a_private_authority_can_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    certificates = Certificates(tmp_path)
    settings = quick_settings(tls_cert=str(certificates.good), tls_key=str(certificates.good))
    async with running_service(settings) as service:
        await with_a_market(service)
        url = f"https://127.0.0.1:{service.port}"
        assert "its certificate is not trusted" in await problem_of(url)
        assert "missing.pem can't be loaded" in await problem_of(url, tmp_path / "missing.pem")
        assert "" == await problem_of(url, certificates.trusted)
    printed = capsys.readouterr().out
    assert "1.90" in printed
    assert "stale" not in printed


def test_selections_are_in_order_and_a_closed_market_has_no_reason(capsys: pytest.CaptureFixture[str]) -> None:
    client = OddsClient("localhost", "event:e1")
    names = {"home": ("Vega", 0), "away": ("Lyra", 2), "draw": ("The Draw", 1)}
    prices = {key: {"name": name, "price": 2.0, "status": "active", "order": order} for key, (name, order) in names.items()}
    market = {"id": "e1/m", "event": "e1", "type": "match_odds", "line": None, "status": "closed", "reason": None}
    message = {"op": "snapshot", "channel": "event:e1", "part": 1, "last": True, "events": []}
    client.state.apply({**message, "markets": [{**market, "selections": prices}]})
    console = Console(width=200, highlight=False)
    console.print(_Table(client, Filter()).render(10))
    changed = {key: {"price": 3.0} for key in names}
    Lines(client.state, Filter(), as_json=False).write(
        {"op": "delta", "channel": "event:e1", "markets": [{"id": "e1/m", "selections": changed}]}
    )
    table, line = capsys.readouterr().out.split("┘")
    assert "closed " in table
    assert "()" not in table
    assert table.index("Vega") < table.index("The Draw") < table.index("Lyra")
    assert line.endswith("home 3  draw 3  away 3\n")


async def test_the_table_is_drawn_no_more_once_it_is_to_end() -> None:
    """While the connection is closed everything is stale, and what is drawn last stays on the screen."""
    console = Console(file=io.StringIO(), width=200)
    table = _Table(OddsClient("localhost", CHANNEL), Filter())
    is_drawn = asyncio.Event()

    async def show() -> None:
        with Live(console=console, auto_refresh=False) as live:
            refreshing = asyncio.create_task(_refresh(live, table, console, asyncio.current_task()))
            is_drawn.set()
            try:
                await asyncio.Event().wait()
            finally:
                async with asyncio.timeout(PATIENCE_S):
                    await refreshing

    showing = asyncio.create_task(show())
    await is_drawn.wait()
    showing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await showing


async def test_a_refused_token_ends_it(tmp_path: Path) -> None:
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET)),))
    async with running_service(quick_settings(auth=auth)) as service:
        process = await asyncio.to_thread(run, "watch", service.base, CHANNEL, "--token", "rubbish")
    assert 1 == process.returncode
    assert "answered 401" in process.stderr.splitlines()[-1]


async def test_it_says_what_is_wrong_at_once_and_goes_on_when_it_is_not_any_more() -> None:
    async with running_service() as service, front_of(service.base, Answer(503)) as front:
        process = await asyncio.create_subprocess_exec(
            *COMMAND, "watch", front.url, CHANNEL, "--lines", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr is not None
        assert process.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE_S):
                assert b"answered 503" in await process.stderr.readline()
                assert b"event 'e1' is not on offer" in await process.stderr.readline()
                await with_a_market(service)
                assert b"e1/match_odds" in await process.stdout.readline()
            process.send_signal(signal.SIGINT)
        finally:
            if process.returncode is None:
                async with asyncio.timeout(PATIENCE_S):
                    _, err = await process.communicate()
        assert (0, b"") == (process.returncode, err)


async def test_lines_and_json_show_what_changes_of_what_is_asked_for() -> None:
    def messages() -> list[dict[str, Any]]:
        market = {"id": "e1/x", "event": "e1", "type": "x", "status": "open", "reason": None, "v": 1}
        snapshot = {"op": "snapshot", "channel": "c", "at": "1", "part": 1, "last": True}
        return [
            {
                **snapshot,
                "events": [{"id": "e1", "sport": "tennis", "name": "A v B"}],
                "markets": [{**market, "selections": {"home": {"name": "A", "price": 2.0, "status": "active"}}}],
            },
            {
                "op": "delta",
                "channel": "c",
                "at": "2",
                "ts": 0,
                "markets": [{"id": "e1/x", "v": 2, "selections": {"home": {"price": 2.1}}}],
            },
            {
                "op": "delta",
                "channel": "c",
                "at": "3",
                "ts": 1,
                "markets": [
                    {"id": "e1/x", "v": 3, "status": "suspended", "reason": "trader", "selections": {"home": {"price": None}}}
                ],
            },
            {"op": "stale", "channel": "c", "since": 2},
            {"op": "delta", "channel": "c", "at": "4", "ts": 3, "markets": [{"id": "e1/x", "removed": True}]},
        ]

    def written(shown: Filter, capsys_out: Callable[[], str], *, as_json: bool = False) -> list[str]:
        state = OddsState()
        state.expect(["c"])
        lines = Lines(state, shown, as_json=as_json)
        for message in messages():
            state.apply(message)
            lines.write(message)
        return capsys_out().splitlines()

    def shown(what: Filter, *, as_json: bool = False) -> list[str]:
        with redirect_stdout(io.StringIO()) as out:
            return written(what, out.getvalue, as_json=as_json)

    lines = shown(Filter())
    assert [
        "e1/x  A v B  open  home 2",
        "e1/x  A v B  home 2 -> 2.1",
        "e1/x  A v B  suspended: trader  home 2.1 -> -",
        "c: stale",
        "e1/x  left the offer",
    ] == [line.partition("  ")[2] for line in lines]
    assert ["00:00:00.001", "00:00:00.002", "00:00:00.003"] == [line[:12] for line in lines[2:]]
    assert ["e1/x  A v B  open  home 2", "e1/x  A v B  suspended: trader  home 2.1 -> -", "c: stale", "e1/x  left the offer"] == [
        line.partition("  ")[2] for line in shown(Filter(state_only=True))
    ]
    assert ["c: stale"] == [line.partition("  ")[2] for line in shown(Filter(sports=frozenset({"football"})))]
    assert ["c: stale"] == [line.partition("  ")[2] for line in shown(Filter(types=frozenset({"y"})))]
    ops = [json.loads(line)["op"] for line in shown(Filter(types=frozenset({"x"}), state_only=True), as_json=True)]
    assert ["snapshot", "delta", "stale", "delta"] == ops


async def test_several_channels_are_printed_once(capsys: pytest.CaptureFixture[str]) -> None:
    async with running_service() as service:
        await with_a_market(service)
        await watch(service.base, ["sport:football", "event:e1"], once=True, output="json")
        for channel, hint in {"sport:footbal": "did you mean sport:football?", "sport:chess": "on offer: sport:football"}.items():
            with pytest.raises(ValueError, match=f"nothing is on offer in {channel}") as nothing:
                await watch(service.base, [channel], once=True)
            assert hint in str(nothing.value)
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert {"sport:football", "event:e1"} == {each["channel"] for each in found if each["op"] == "snapshot"}
