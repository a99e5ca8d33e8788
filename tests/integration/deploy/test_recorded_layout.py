"""What an engine wrote into Redis when the present layout was new: a gateway of today reads it as one did then."""

from __future__ import annotations

import base64
import lzma
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from oddsengine.runtime.processes.startup import StartFailed, Step
from oddsengine.streams.keys import LAYOUT, installation_key
from tests.support.processes.command import get
from tests.support.processes.ports import free_port
from tests.support.processes.role import running

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis

RECORDED = Path(__file__).parent / "recorded"
CONFIG = """
[redis]
url = "{url}"
[gateway]
stale_suspend_after_s = 0
[auth]
anonymous_role = "trader"
"""


async def restore(redis: Redis, keys: dict[str, Any]) -> None:
    """Write streams and hashes as they were recorded."""
    for key, value in keys.items():
        if isinstance(value, list):
            for entry, fields in value:
                texts = [base64.b64decode(each) for each in fields]
                await redis.xadd(key, dict(zip(texts[::2], texts[1::2], strict=True)), id=entry)
        else:
            await redis.hset(key, mapping={field: base64.b64decode(each) for field, each in value.items()})


async def test_a_gateway_reads_what_was_written_when_its_layout_was_new(
    redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """If this fails, what is stored has changed: gateways of earlier releases can't read it. Raise LAYOUT, and record anew."""
    recorded = orjson.loads(lzma.decompress((RECORDED / f"layout{LAYOUT}.json.xz").read_bytes()))
    await restore(redis, recorded["keys"])
    config = tmp_path / "odds.toml"
    config.write_text(CONFIG.format(url=redis_server.url))
    port = free_port()
    async with running("gateway", config, port=port) as gateway:
        await gateway.reached(Step.READY)
        status, snapshot = await get(f"http://127.0.0.1:{port}/v1/snapshot?channel=sport:football&include=fair")
    assert 200 == status
    for part in ("events", "markets"):
        assert sorted(recorded["snapshot"].pop(part), key=itemgetter("id")) == sorted(snapshot.pop(part), key=itemgetter("id"))
    assert recorded["snapshot"] == snapshot
    await redis.hset(installation_key("odds"), "layout", str(LAYOUT + 1))
    for role in ("gateway", "engine"):
        with pytest.raises(StartFailed, match="by a newer release") as failed:
            async with running(role, config, port=0) as started:
                await started.task
        assert 5 == failed.value.step.exit_code
