"""Everything `runs` raises on purpose.

RunsError
├── InvalidPayload          the payload is not JSON we accept, or not what the task's schema asks
│   └── PayloadTooLarge
├── InvalidOption           a trigger, replay or queue option is out of its range
│   └── RunClosed           the run ended too long ago for its metadata to change
├── TokenUsed               a public token for one use has had it
├── UnknownQueue            no queue of that name; names the known ones
├── QueueFull               no room for more runs
├── NotFound                no such run, queue or task
├── Undecipherable          a stored secret was encrypted under another SECRET_KEY
└── IllegalTransition       the run already moved on; carries where it stands now
"""


class RunsError(Exception):
    """A request the domain refuses; `str(error)` is a sentence for the person who asked."""


class InvalidPayload(RunsError):
    """The payload cannot be accepted. `line` and `column` (1-based) where known, `path` in JSON."""

    def __init__(
        self, message: str, *, line: int | None = None, column: int | None = None, path: str = ""
    ) -> None:
        super().__init__(message)
        self.line, self.column, self.path = line, column, path


class PayloadTooLarge(InvalidPayload):
    """The payload is larger than the configured limit."""


class InvalidOption(RunsError):
    """An option's value is out of range; `option` is its name."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


class RunClosed(InvalidOption):
    """The run ended too long ago for its metadata to change (features.md ME-12)."""

    def __init__(self) -> None:
        super().__init__("metadata", "Cannot update metadata for a completed run.")


class TokenUsed(RunsError):
    """A public token for one use was used before."""

    def __init__(self) -> None:
        super().__init__("This public token was for one use and has been used; get a new one.")


class UnknownQueue(InvalidOption):
    """No queue of that name exists (DEC-15)."""

    def __init__(self, name: str, known: list[str]) -> None:
        names = ", ".join(known[:20]) or "none yet"
        super().__init__("queue", f"There is no queue named “{name}”. Known queues: {names}.")
        self.name, self.known = name, known


class QueueFull(InvalidOption):
    """More runs than a queue has room for (`QUEUE_SIZE_LIMIT`)."""

    def __init__(self, name: str, count: int, room: int, most: int) -> None:
        super().__init__(
            "queue",
            f"Queue “{name}” has room for {room:,} more runs and not for {count:,}: at most {most:,} "
            "stand in it (QUEUE_SIZE_LIMIT). Try again later, or purge it.",
        )
        self.name, self.room = name, room


class NotFound(RunsError):
    """No such row; the message names what was looked for."""


class Undecipherable(RunsError):
    """A stored secret that no key of ours opens."""

    def __init__(self) -> None:
        super().__init__(
            "This was encrypted under another SECRET_KEY. Put that key into SECRET_KEY_FALLBACKS, or "
            "store the secret anew."
        )


class IllegalTransition(RunsError):
    """The run is not where this move starts from; `status` is where it stands."""

    def __init__(self, run_id: str, status: str, to: str) -> None:
        super().__init__(f"Run {run_id} is {status} and cannot become {to}.")
        self.run_id, self.status, self.to = run_id, status, to
