"""One JSON object a line on stdout, for whatever the process logs through `logging`."""

from __future__ import annotations

import json
import logging
import socket
import sys
from datetime import UTC, datetime
from io import TextIOWrapper

from sentry_sdk.integrations.logging import ignore_logger, ignore_logger_for_sentry_logs

from observability.scrubbing import hide_tokens

_ATTRIBUTES = "attributes"
# For people and log stores: what is written there is no event, no breadcrumb and no log record in Sentry.
_LINES = "observability.lines"
ignore_logger(_LINES)
ignore_logger_for_sentry_logs(_LINES)


class JsonFormatter(logging.Formatter):
    """A log record as one line of JSON, tracebacks included."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Render one record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, _ATTRIBUTES, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # Servers log the very header that they could not read.
        return hide_tokens(json.dumps(line, ensure_ascii=False))


def log_to_stdout(service: str) -> None:
    """Send every logger's records to stdout; libraries that narrate each step speak from WARNING on."""
    if isinstance(sys.stdout, TextIOWrapper):
        # Half of a surrogate pair has no UTF-8, and would take the whole line with it.
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for talkative in ("httpx", "httpcore", "uvicorn.error", "asyncio"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    # The SDK's transport retries while Sentry is away, and urllib3 warns of each time.
    logging.getLogger("urllib3").setLevel(logging.ERROR)


def log_line(level: int, message: str, **attributes: str | int) -> None:
    """Write a line to stdout alone, with these attributes beside its message."""
    logging.getLogger(_LINES).log(level, message, extra={_ATTRIBUTES: attributes})


def announce(listener: socket.socket) -> None:
    """Say where the service listens, on stdout alone."""
    host, port = listener.getsockname()[:2]
    ignore_logger_for_sentry_logs(__name__)
    logging.getLogger(__name__).info("listening on http://%s:%s", host, port)
