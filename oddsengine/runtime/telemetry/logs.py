"""Logging: one structured line per event, readable on a terminal and JSON everywhere else."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.redaction import SECRETS

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

#: A line per request, which the metrics count, and a line per handshake with other subprotocols.
_NOISY_LOGGERS: Final = ("aiohttp.access", "aiohttp.websocket", "alembic")
#: Clients of brokers and collectors log each attempt to connect, and what fails is in our own line.
_SILENT_LOGGERS: Final = ("aio_pika", "aiokafka", "aiormq", "opentelemetry", "urllib3")


def configure_logging(level: str = "info", *, json: bool | None = None) -> None:
    """Send our logs and those of libraries to standard error.

    Args:
        level: debug, info, warning or error.
        json: whether to write one JSON object per line; None: only if standard error is not a terminal.
    """
    as_json = not sys.stderr.isatty() if json is None else json
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderers: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if as_json
        else [structlog.dev.ConsoleRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers, _redact],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _NOISY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    for name in _SILENT_LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _redact(_logger: WrappedLogger, _method: str, line: str | EventDict) -> str:
    """Mask secrets in a finished line: in what we log, in what libraries log, and in tracebacks."""
    return SECRETS.redact(str(line))
