"""Refuse requests until every shard is loaded: before that, a gateway can't know that something is not on offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.common.http import RequestRejected, error
from oddsengine.gateway.protocol.codes import ErrorCode

if TYPE_CHECKING:
    from oddsengine.gateway.state.replica import Replica

_RETRY_SOON: Final = {"Retry-After": "1"}


def require_loaded(replica: Replica) -> None:
    """Raise RequestRejected, with 503, while any shard has never been loaded."""
    missing = replica.unloaded()
    if missing:
        text = f"starting: {len(missing)} of {len(replica.offers)} shards are not loaded yet"
        raise RequestRejected(error(503, ErrorCode.NOT_READY, text, _RETRY_SOON))
