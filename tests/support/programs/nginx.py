"""nginx in front of a gateway."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.processes.ports import free_port
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NGINX: Final = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")
_CONFIG: Final = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr error; worker_rlimit_nofile 1024;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    {http}
    server {{ listen 127.0.0.1:{port}; {server} }}
}}
"""


@asynccontextmanager
async def nginx(folder: Path, server: str, http: str = "") -> AsyncIterator[str]:
    """Run nginx while the context is open. Yield its base URL.

    Args:
        folder: for its files.
        server: directives of its `server` block.
        http: directives of its `http` block.
    """
    assert NGINX is not None
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, port=port, server=server, http=http))
    process = await asyncio.create_subprocess_exec(NGINX, "-p", str(folder), "-c", str(config))
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert process.returncode is None, "nginx has ended"
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
