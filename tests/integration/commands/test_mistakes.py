"""No mistake of a user ends a command with a traceback: a line says what is wrong, and the exit code is documented."""

from __future__ import annotations

import asyncio
import gzip
import re
import signal
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import DBAPIError
from typer.main import get_command

from oddsengine.cli.app import app
from oddsengine.cli.ending import exit_codes, lines_of
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.processes.forked import COMMAND, run
from tests.support.processes.inside import called
from tests.support.service import quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import Iterator

DOCUMENT = (Path(__file__).parents[3] / "docs" / "command-line.md").read_text(encoding="utf-8")
NOBODY = "127.0.0.1:9"
#: Commands that read a config, with what else they need.
CONFIGURED = (
    *(("run",), ("engine",), ("feeder",), ("gateway",), ("archiver",), ("bridge", "kafka"), ("record", "-o", "out")),
    *(("history", "verify"), ("history", "migrate"), ("history", "holds"), ("price", "2", "2"), ("match", "a v b", "a v b")),
)
ASKING = (
    *(("watch", "{}", "sport:football", "--once"), ("watch", "{}", "sport:football", "--json", "--once")),
    *(("suspend", "{}", "all"), ("lift", "{}", "c1"), ("commands", "{}"), ("override", "{}", "all", "--limit", "5")),
    *(("history", "price", "{}", "e1/x"), ("history", "changes", "{}", "e1/x"), ("history", "explain", "{}", "e1/x")),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    (folder / "broken.toml").write_text("[gateway\nport = ")
    (folder / "binary.toml").write_bytes(bytes(range(256)))
    (folder / "deep.toml").write_text("a = " + "[" * 5000 + "]" * 5000)
    (folder / "digits.toml").write_text(f"[gateway]\nport = {'9' * 5000}\n")
    (folder / "unknown.toml").write_text("[gatewa]\nport = 1\n")
    (folder / "truncated.gz").write_bytes(gzip.compress(b'{"op":"mcm"}\n' * 1000)[:40])
    (folder / "nonsense.xz").write_bytes(b"nonsense")
    (folder / "empty").touch()
    (folder / "tail.jsonl").write_text('{"level": "info"}\n' * 5000)
    (folder / "header.jsonl").write_text('{"oddsengine_recording": "x"}\n')
    (folder / "folder").mkdir()
    (folder / "folder" / "one").write_text("one\n")
    return folder


def is_told(result: subprocess.CompletedProcess[str]) -> bool:
    """Check that a command has failed with one line, or with typer's box, which says why."""
    lines = [line for line in result.stderr.splitlines() if line]
    return bool(result.returncode in {1, 2, 3} and lines and ("error: " in lines[-1] or "Error" in result.stderr))


@pytest.mark.parametrize("name", ["broken.toml", "binary.toml", "deep.toml", "digits.toml", "unknown.toml", "missing.toml", "."])
def test_a_config_that_is_none_is_refused_by_every_command(files: Path, name: str) -> None:
    for arguments in (("check", files / name), *((*each, "--config", files / name) for each in CONFIGURED)):
        result = called(*arguments)
        assert (2, True) == (result.returncode, is_told(result)), (arguments, result.stderr)
        assert name in result.stderr.replace("\n", "") or name == ".", arguments


@pytest.mark.parametrize(
    "arguments",
    [
        ("replay", "{}/missing.jsonl"),
        ("replay", "{}/truncated.gz", "--dump-at", "x"),
        ("replay", "{}/truncated.gz", "--published", "/nonexistent/file"),
        ("replay", "{}/truncated.gz", "--commands", "{}/nonsense.xz"),
        ("replay", "{}/truncated.gz", "--adapter", "nobody"),
        ("record", "-o", "{}/nonsense.xz/below"),
        ("emulate", "nobody"),
        ("price", "2", "2", "--winners", "0"),
        ("price", "nan", "2"),
        ("price", "2"),
        ("price", "2", "2", "--book-sum", "0"),
        ("match", "a v b"),
        ("match", "a v b", "a v b", "--minutes-apart", "1e308"),
        ("health", "--url", "http://x y"),
        ("history", "keygen", "/nonexistent/key"),
        ("history", "verify", "--from", "yesterday"),
        ("watch", "ftp://localhost", "sport:football"),
        ("watch", NOBODY, "sport:football", "--lines", "--json"),
        ("watch", NOBODY, "sport:football", "--state-only"),
        ("watch", NOBODY, "sport:football", "--once", "--ca", "{}/binary.toml"),
        ("override", NOBODY, "all"),
        ("override", NOBODY, "all", "--price", "home"),
        ("nonsense",),
        ("run", "--port", "seven"),
    ],
)
def test_what_can_not_be_done_is_told(files: Path, arguments: tuple[str, ...]) -> None:
    result = called(*(each.replace("{}", str(files)) for each in arguments))
    assert is_told(result), result


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("binary.toml", "binary.toml:1: "),
        ("unknown.toml", "unknown.toml:1: "),
        ("empty", "empty: it is empty"),
        ("nonsense.xz", "nonsense.xz: "),
        ("tail.jsonl", "tail.jsonl:1: "),
        ("header.jsonl", "header.jsonl:1: "),
        ("folder", "folder/one:1: "),
    ],
)
def test_what_is_no_recording_is_not_replayed(files: Path, name: str, words: str) -> None:
    for more in ((), ("--dump-at", "1")):
        result = called("replay", files / name, *more)
        assert (1, True) == (result.returncode, is_told(result)), result
        assert f"error: not a recording: {files}/{words}" in result.stderr
        assert 2000 > len(result.stderr)


def test_what_is_no_recording_beside_one_is_left_out(files: Path) -> None:
    (files / "both").mkdir()
    (files / "both" / "README").write_text("Recorded in November.\n")
    (files / "both" / "recorded").write_text('{"op":"mcm","pt":1700000000000,"mc":[]}\n')
    result = called("replay", files / "both")
    assert (0, True) == (result.returncode, f"left out, not a recording: {files}/both/README:1: " in result.stderr), result
    assert "recordings of its provider" in called("replay", files / "both", "--adapter", "pinnacle").stderr


@pytest.mark.parametrize("arguments", ASKING)
def test_where_nobody_answers_it_says_what_to_do(arguments: tuple[str, ...]) -> None:
    for url, words in {NOBODY: "is the gateway running there", "nowhere.invalid": "can't be resolved"}.items():
        result = called(*(each.format(url) for each in arguments))
        assert (1, True) == (result.returncode, is_told(result)), result
        assert words in result.stderr


async def test_refusals_say_what_to_do(tmp_path: Path) -> None:
    """Without a token, with one that is not valid or grants too little, and of what there is not."""
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET)),))
    async with running_service(quick_settings(auth=auth)) as service:
        for arguments, words in {
            ("commands", service.base, "--token", "rubbish"): "give a valid token, by --token",
            ("commands", service.base, "--token", a_token(role="subscriber")): "ask for a token that grants it",
            ("watch", service.base, "sport:football", "--once"): "--token or ODDSENGINE_TOKEN",
            ("watch", service.base, "sport:x", "--once", "--token", a_token(channels=["event:y"])): "grants the channel",
        }.items():
            result = await asyncio.to_thread(run, *arguments)
            assert (1, True) == (result.returncode, is_told(result)), result
            assert words in result.stderr, result
            assert "Traceback" not in result.stderr


def test_a_closed_pipe_and_ctrl_c_end_it_quietly() -> None:
    piped = subprocess.Popen([*COMMAND, "price", "2", "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert piped.stdout is not None
    piped.stdout.close()
    assert piped.stderr is not None
    with piped.stderr:
        assert (b"", 141) == (piped.stderr.read(), piped.wait())
    with socket.create_server(("127.0.0.1", 0)) as silent:
        waiting = subprocess.Popen(
            [*COMMAND, "commands", f"127.0.0.1:{silent.getsockname()[1]}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        # Closed only afterwards: a lost connection would end it too.
        with silent.accept()[0]:
            waiting.send_signal(signal.SIGINT)
            _, err = waiting.communicate()
    assert (130, b"interrupted before it was done\n") == (waiting.returncode, err)


def test_an_error_of_a_database_comes_without_its_statement() -> None:
    error = DBAPIError("SELECT 1", None, ValueError("the connection was closed"))
    assert (1, ["the connection was closed"]) == lines_of(error)


def commands_of(command: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Yield every command of a group, by its name."""
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
    else:
        for key, child in children.items():
            yield from commands_of(child, f"{name} {key}".strip())


def test_every_command_and_option_is_explained() -> None:
    for name, command in commands_of(get_command(app)):
        assert f"`oddsengine {name}" in DOCUMENT, name
        assert getattr(command, "help", ""), name
        for parameter in command.params:  # type: ignore[attr-defined]
            assert parameter.hidden or parameter.name == "help" or parameter.help, f"{name} {parameter.name}"


def test_the_exit_codes_are_documented() -> None:
    start, end = "<!-- table: python -m oddsengine.cli.ending -->\n", "\n<!-- end of table -->"
    assert exit_codes() == DOCUMENT.partition(start)[2].partition(end)[0]


def test_shells_complete_options() -> None:
    variables = {"_ODDSENGINE_COMPLETE": "complete_bash", "COMP_WORDS": "oddsengine watch --st", "COMP_CWORD": "2"}
    result = run(environment=variables)
    assert ["--state-only"] == result.stdout.split(), result


def test_the_version_is_printed() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", called("--version").stdout)
