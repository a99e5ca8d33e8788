"""Write the answers of a real gateway into the examples of the documents: `python -m tests.support.documents.recording`.

What an example gateway can't answer, since it has no feeds and no identity provider, stays as it is written there.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any, Final

import msgspec

from oddsengine.engine.noting import recorder
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.documents import examples
from oddsengine.gateway.documents.examples import REQUESTS
from oddsengine.gateway.documents.route import JSON
from oddsengine.gateway.documents.routes import ROUTES
from oddsengine.history.settings import HistorySettings
from oddsengine.runtime.archiving.notes import note_history
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.documents.requests import example_of, offer_the_example
from tests.support.history.archiving import NAMESPACE, archiving, until_archived
from tests.support.history.databases import shared_postgres
from tests.support.service import quick_settings, running_service, shared_redis

_FILE: Final = Path(examples.__file__).parent / "examples" / "requests.json"
_SOURCE: Final = "betfair"
_WRITTEN: Final = {"describe_sign_in", "exchange_tokens", "get_openapi", "get_asyncapi", "list_feeds", "list_unmatched_events"}
#: Of the history: since its beginning.
_VALUES: Final = {"from": "2026-01-01T00:00:00Z"}


async def record() -> None:
    """Ask everything, and write what is answered."""
    recorder._CHECK_S = recorder.EVERY_S = 0.02  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        key = write_key(Path(folder) / "key", SECRET)
        settings = quick_settings(auth=AuthSettings(keys=(KeySettings(algorithm="HS256", file=key),)))
        database = await shared_postgres.new_database()
        settings = msgspec.structs.replace(settings, history=HistorySettings(url=database.url))
        url = shared_redis.url()
        running = running_service(settings, sources=(_SOURCE,), redis_url=url, namespace=NAMESPACE)
        async with archiving(database, url), running as service, note_history(service.settings, url, service.engine, Path(key)):
            for home in (1.62, 1.7):
                await offer_the_example(service, _SOURCE, home)
                await asyncio.sleep(0.5)
            offer = service.hub.replica.offers[0]
            await until_archived(database, offer.epoch, offer.seq)
            headers = {"Authorization": f"Bearer {a_token(sub='ann', role='admin')}"}
            found: dict[str, dict[str, Any]] = {}
            made = ""
            for route in [*ROUTES, *(each for each in ROUTES if each.tag == "history")]:
                found[route.name] = dict(REQUESTS.get(route.name, {}))
                if route.name in _WRITTEN or route.media != JSON or route.answer is None or route.name == "confirm_command":
                    continue
                example = example_of(route, **_VALUES, **({"id": made} if route.name == "lift_command" else {}))
                async with service.http.request(
                    example.method, service.base + example.target, data=example.body, headers=headers
                ) as response:
                    answer = await response.json()
                if str(response.status) not in route.successes:
                    print(f"{route.name}: {response.status} {answer}")  # noqa: T201
                    continue
                if route.name == "make_command":
                    made = answer["id"]
                found[route.name]["answers"] = {str(response.status): answer}
        lifted = found["lift_command"]["answers"]["200"]
        confirmed = {
            **lifted,
            "state": "applied",
            "confirmed_by": "bob",
            "confirmed": lifted["lifted"],
            "lifted_by": None,
            "lifted": None,
        }
        found["confirm_command"]["answers"] = {"200": confirmed}
        for name in ("make_command", "lift_command", "confirm_command"):
            answers = found[name]["answers"]
            answers["202"] = {**next(iter(answers.values())), "state": "pending", "at": {}}
    lines = [f"  {json.dumps(name)}: {json.dumps(example, ensure_ascii=False)}" for name, example in found.items() if example]
    _FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        asyncio.run(record())
    finally:
        shared_postgres.close()
        shared_redis.close()
