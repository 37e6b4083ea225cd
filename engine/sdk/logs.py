"""`logger`: log lines of the run, with properties (features.md section 19)."""

import json
import logging
from typing import Any

#: Lines carry this logger name; outside of a run they go where Python's logging sends them.
NAME = "trackside.task"


class TaskLogger:
    """Writes log lines of the current run; plain Python logging outside of one.

    Example:
        logger.info("charged", amount=12.5, customer="c_42")
    """

    def __init__(self, name: str = NAME) -> None:
        self._logger = logging.getLogger(name)
        self._logger.setLevel(logging.DEBUG)

    def debug(self, message: object, **props: Any) -> None:
        """Log for whoever looks closely."""
        self._write(logging.DEBUG, message, props)

    def info(self, message: object, **props: Any) -> None:
        """Log what happened."""
        self._write(logging.INFO, message, props)

    log = info

    def warning(self, message: object, **props: Any) -> None:
        """Log what somebody should look at."""
        self._write(logging.WARNING, message, props)

    warn = warning

    def error(self, message: object, **props: Any) -> None:
        """Log what went wrong."""
        self._write(logging.ERROR, message, props)

    def _write(self, level: int, message: object, props: dict[str, Any]) -> None:
        tail = f" {_rendered(props)}" if props else ""
        self._logger.log(level, "%s%s", message, tail)


def _rendered(props: dict[str, Any]) -> str:
    try:
        return json.dumps(props, default=str, ensure_ascii=False)
    except Exception:
        return ", ".join(props)


logger = TaskLogger()
