"""What is in deploy/ and the Dockerfile refers to what there is: files, commands, options, secrets, hashes."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import typer
import yaml

from oddsengine.cli.app import app
from oddsengine.cli.check import problems_of
from oddsengine.cli.support import read_settings

ROOT: Final = Path(__file__).parents[3]
COMPOSE: Final = ROOT / "deploy" / "compose"


def check_command(words: list[str]) -> None:
    """Raise what the command line would of a command, without running it."""
    command: Any = typer.main.get_command(app)
    context = command.make_context("oddsengine", list(words), resilient_parsing=False)
    while hasattr(command, "resolve_command"):
        _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert command is not None
        context = command.make_context(command.name, list(words), parent=context)


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script makes, in a copy of the folder."""
    folder = tmp_path_factory.mktemp("compose")
    shutil.copy(COMPOSE / "secrets.sh", folder)
    for _ in range(2):  # what is there stays
        subprocess.run(["sh", folder / "secrets.sh"], check=True)
    return folder / "secrets"


def test_compose_names_files_and_secrets_that_there_are(compose: Any, secrets: Path) -> None:
    services = compose["services"]
    for name, service in services.items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("./secrets/"):
                assert (secrets.parent / source).exists(), name
            elif source.startswith("."):
                assert (COMPOSE / source).exists(), f"{name}: {source}"
            else:
                assert source in compose["volumes"], name
        names = {each if isinstance(each, str) else each["source"] for each in service.get("secrets", ())}
        assert names <= set(compose["secrets"])
        assert set(service.get("depends_on", ())) <= set(services)
        if service["image"] == "oddsengine:local":
            check_command(service["command"])
            assert (True, ["ALL"], ["/tmp"]) == (service["read_only"], service["cap_drop"], service["tmpfs"])
    for secret in compose["secrets"].values():
        assert (secrets.parent / secret["file"]).read_text().strip()
    assert {"gateway-1:8080", "gateway-2:8080"} == set(re.findall(r"server (\S+) ", (COMPOSE / "upstream.conf").read_text()))


async def test_the_config_of_compose_lacks_nothing(secrets: Path, tmp_path: Path) -> None:
    text = (COMPOSE / "odds.toml").read_text(encoding="utf-8")
    config = tmp_path / "odds.toml"
    config.write_text(text.replace("/run/secrets", str(secrets)))
    assert [] == await problems_of(read_settings(config), connect=False)
    assert {f"/run/secrets/{name}" for name in ("redis_url", "token_key", "postgres_password", "prometheus_token")} == set(
        re.findall(r"/run/secrets/\w+", text)
    )


def test_the_dockerfile_copies_what_there_is_and_runs_as_a_number() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source.split("/")[0] in kept, f"{source} is not sent to the builder"
    assert re.search(r"^USER \d+:\d+$", text, re.MULTILINE)
    assert "--require-hashes" in text
    command, health = re.findall(r'^(?: +CMD|CMD) \["?(.*?)"?\]$', text, re.MULTILINE)[::-1]
    check_command(shlex.split(command.replace('", "', " ")))
    assert 'oddsengine", "health' == health


@pytest.mark.parametrize("name", ["run", "test", "bench"])
def test_every_package_is_locked_by_hashes_and_no_line_names_an_index(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert "://" not in text
    for requirement in re.split(r"\n(?=\S)", text.strip()):
        assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==\S+( ;[^\\]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+", requirement), (
            requirement
        )


def test_haproxy_may_open_the_files_of_as_many_clients_as_it_takes() -> None:
    folder = ROOT / "deploy" / "haproxy"
    (clients,) = map(int, re.findall(r"^ +maxconn (\d+)", (folder / "haproxy.cfg").read_text(), re.MULTILINE))
    (files,) = map(int, re.findall(r"^LimitNOFILE=(\d+)$", (folder / "limits.conf").read_text(), re.MULTILINE))
    assert 2 * clients + 19 <= files


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    unit = (ROOT / "deploy" / "systemd" / "oddsengine@.service").read_text(encoding="utf-8")
    check_command(["gateway", "--config", "x"])
    assert "ExecStart=/opt/oddsengine/bin/oddsengine %i --config " in unit
    # It verifies that the program is there.
    for role in ("engine", "gateway"):
        (tmp_path / f"oddsengine@{role}.service").write_text(unit.replace("/opt/oddsengine/bin/oddsengine", "/bin/true"))
    files = sorted(tmp_path.glob("*.service"))
    done = subprocess.run(["systemd-analyze", "verify", *files], capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
