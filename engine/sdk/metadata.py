"""`metadata` and `tags`: what a run tells about itself while it executes (features.md 16, 17)."""

import json
import logging
from typing import Any

from engine import runtime
from engine.sdk.context import current
from engine.sdk.durable import is_repeating
from engine.sdk.notes import aside, dumped
from runs import metadata as documents
from runs.errors import InvalidOption, RunsError

log = logging.getLogger("trackside.task")


class Changeable:
    """Operations on one run's metadata. Outside of a run they do nothing."""

    def __init__(self, target: str) -> None:
        self._target = target

    def set(self, key: str, value: Any) -> None:
        """Set a key, or the place a path such as `$.steps[0].status` names."""
        self._change("set", key, value)

    def delete(self, key: str) -> None:
        """Remove a key."""
        self._change("delete", key)

    def append(self, key: str, value: Any) -> None:
        """Add to a list; a value that is no list becomes the first of one."""
        self._change("append", key, value)

    def remove(self, key: str, value: Any) -> None:
        """Remove every equal item from a list."""
        self._change("remove", key, value)

    def increment(self, key: str, by: float = 1) -> None:
        """Add to a number; what is none counts as 0."""
        self._change("increment", key, by)

    def decrement(self, key: str, by: float = 1) -> None:
        """Take from a number; what is none counts as 0."""
        self._change("increment", key, -by)

    def replace(self, document: dict[str, Any]) -> None:
        """Make this the whole metadata."""
        self._change("update", None, document)

    def _change(self, kind: str, key: str | None, value: Any = None) -> None:
        context = current()
        if context is None or is_repeating():
            return
        operation: dict[str, Any] = {"type": kind, "value": json.loads(dumped(value))}
        if key is not None:
            operation["key"] = key
        context._notes.change(self._target, operation)


class Metadata(Changeable):
    """The metadata of the run that executes; `parent` and `root` are those it belongs to.

    Raises InvalidOption for a key or value that is none, and when all of it would be larger than
    the limit (256 KiB).

    Example:
        metadata.set("progress", {"done": 3, "of": 10})
        metadata.append("log", "sent to 3 of 10")
        metadata.root.increment("mails_sent")
    """

    def __init__(self) -> None:
        super().__init__("own")
        self.parent = Changeable("parent")
        self.root = Changeable("root")

    def current(self) -> dict[str, Any] | None:
        """A copy of the metadata as it stands here; None outside of a run."""
        context = current()
        return None if context is None else json.loads(json.dumps(context._notes.document))

    def get(self, key: str) -> Any:
        """The value at a key or path; None when there is none, or outside of a run."""
        document = self.current()
        return None if document is None else documents.read(document, key)

    def flush(self) -> None:
        """Store what is waiting, now."""
        context = current()
        if context is not None:
            context._notes.flush()

    def refresh(self) -> None:
        """Take over what others changed."""
        context = current()
        if context is not None:
            context._notes.refresh()


class Tags:
    """The tags of the run that executes.

    Example:
        tags.add("customer:42")
    """

    def add(self, *tags: str | list[str] | tuple[str, ...]) -> None:
        """Add tags, all or none; `ctx.run.tags` stays as it was.

        Too many or invalid ones are logged and dropped, and the run goes on (TA-3). Raises
        RuntimeError outside of a run.
        """
        context = current()
        if context is None:
            raise RuntimeError(
                "tags.add() belongs into a task: there is no run here to add them to."
            )
        wanted = [tag for given in tags for tag in texts(given)]
        try:
            aside(lambda: runtime.installed().add_tags(context.run.id, wanted))
        except RunsError as error:
            log.error("Tags were not added: %s", error)


def texts(given: object) -> list[str]:
    """One tag or several. Raises InvalidOption for what is no text: that is no matter of this run."""
    several = [given] if isinstance(given, str) else given
    if isinstance(several, (list, tuple, set)) and all(isinstance(tag, str) for tag in several):
        return list(several)
    raise InvalidOption("tags", f"tags.add() takes text or lists of texts; got {given!r:.60}.")


metadata = Metadata()
tags = Tags()
