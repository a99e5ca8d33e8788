"""What `/v1/markets/{id}` answers where the results can't be read."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.gateway.access.grants import Access
from oddsengine.gateway.server.rest import RestApi
from tests.support.hub_harness import Gateway


class NoResults:
    """Finds nothing, or fails."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def find(self, market: str) -> None:
        if self.error is not None:
            raise self.error


@pytest.mark.parametrize(("error", "status"), [(None, 404), (RedisConnectionError("away"), 503), (OSError("away"), 503)])
async def test_results_that_can_not_be_read_are_not_denied(error: Exception | None, status: int) -> None:
    admission: Any = None
    rest = RestApi(Gateway().hub, None, admission, NoResults(error))
    request = make_mocked_request("GET", "/v1/markets/e1%2Ftotal", match_info={"id": "e1%2Ftotal"})
    assert status == (await rest.market(request, Access(subject="somebody"))).status
