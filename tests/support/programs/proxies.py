"""The proxies of deploy/ as they are shipped: nginx and HAProxy, on free ports, in front of gateways of a test."""

from __future__ import annotations

import asyncio
import os
import shutil
import ssl
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.processes.ports import free_port
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tests.support.credentials import Certificates

_DEPLOY: Final = Path(__file__).parents[3] / "deploy"
_PATH: Final = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
_PROGRAMS: Final = {name: shutil.which(name, path=_PATH) for name in ("nginx", "haproxy")}
needs_proxies = pytest.mark.skipif(None in _PROGRAMS.values(), reason="nginx or HAProxy is not installed")


def _replaced(text: str, replacements: dict[str, str]) -> str:
    for old, new in replacements.items():
        assert old in text, f"{old!r} is not in the shipped config"
        text = text.replace(old, new)
    return text


def _nginx(folder: Path, port: int, gateways: Sequence[int], certificates: Certificates) -> list[str | Path]:
    temporary = "".join(f"{name}_temp_path {folder}/{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    replacements = {
        "listen 80;": f"listen 127.0.0.1:{free_port()};",
        "    listen [::]:80;\n": "",
        "listen 443 ssl http2;": f"listen 127.0.0.1:{port} ssl http2;",
        "    listen [::]:443 ssl http2;\n": "",
        "/etc/nginx/tls/tls.crt": str(certificates.good),
        "/etc/nginx/tls/tls.key": str(certificates.good),
        "/var/log/nginx/access.log": f"{folder}/access.log",
        "worker_processes auto;": f"worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;",
        "worker_rlimit_nofile 65536;": "",
        "worker_connections 32768;": "worker_connections 512;",
        "server_tokens off;": f"server_tokens off; {temporary}",
    }
    (folder / "nginx.conf").write_text(_replaced((_DEPLOY / "nginx" / "nginx.conf").read_text(encoding="utf-8"), replacements))
    servers = {f"10.0.1.1{number}:8080": f"127.0.0.1:{gateway}" for number, gateway in enumerate(gateways, start=1)}
    (folder / "upstream.conf").write_text(_replaced((_DEPLOY / "nginx" / "upstream.conf").read_text(encoding="utf-8"), servers))
    return ["-p", folder, "-c", folder / "nginx.conf"]


def _haproxy(folder: Path, port: int, gateways: Sequence[int], certificates: Certificates) -> list[str | Path]:
    replacements = {
        "bind :80": f"bind 127.0.0.1:{free_port()}",
        "bind :443": f"bind 127.0.0.1:{port}",
        "/etc/haproxy/tls/odds.pem": str(certificates.good),
        "maxconn 50000": "maxconn 500",
        **{f"10.0.1.1{number}:8080": f"127.0.0.1:{gateway}" for number, gateway in enumerate(gateways, start=1)},
    }
    config = _replaced((_DEPLOY / "haproxy" / "haproxy.cfg").read_text(encoding="utf-8"), replacements)
    (folder / "haproxy.cfg").write_text(config)
    return ["-db", "-f", folder / "haproxy.cfg"]


@asynccontextmanager
async def shipped(name: str, folder: Path, gateways: Sequence[int], certificates: Certificates) -> AsyncIterator[str]:
    """Run a proxy of deploy/ while the context is open. Yield its base URL.

    Args:
        name: nginx or haproxy.
        folder: for its files.
        gateways: the ports of the gateways.
        certificates: whose good one it has.
    """
    folder.mkdir()
    port, program = free_port(), _PROGRAMS[name]
    assert program is not None
    arguments = {"nginx": _nginx, "haproxy": _haproxy}[name](folder, port, gateways, certificates)
    with (folder / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(program, *map(str, arguments), stdout=log, stderr=log)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert process.returncode is None, (folder / "log").read_text()
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(certificates))
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield f"https://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def trusting(certificates: Certificates) -> ssl.SSLContext:
    """Return the context of a client that trusts the good certificate."""
    return ssl.create_default_context(cafile=certificates.trusted)
