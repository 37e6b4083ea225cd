"""What a search for runs may name: every qualifier with its kind of values, as data."""

from dataclasses import dataclass

from runs.models import Source
from runs.states import FINAL, LEASED, OPEN, PENDING, UNSUCCESSFUL, RunStatus

#: Kinds of values: one of some words; text, where * stands for anything; text that is contained;
#: a length of time or a number that is compared; a time; an id.
WORD, TEXT, PART, SPAN, NUMBER, TIME, ID = "word", "text", "part", "span", "number", "time", "id"
#: Documents of a run that are searched by a place in them, as payload.order_id.
DOCUMENTS = ("payload", "output", "metadata")


@dataclass(frozen=True, slots=True)
class Qualifier:
    """One name before a colon."""

    name: str
    kind: str
    help: str
    example: str
    #: Column of the run, where the kind compares one.
    column: str = ""
    words: tuple[str, ...] = ()


def status_word(status: str) -> str:
    """As it is written in a search: `pending-version`."""
    return status.lower().replace("_", "-")


#: Several statuses by one word.
GROUPS = {
    "running": LEASED,
    "pending": PENDING,
    "open": OPEN,
    "ended": FINAL,
    "unsuccessful": UNSUCCESSFUL,
}
STATUSES = {
    **{status_word(status): frozenset({str(status)}) for status in RunStatus.values},
    **{word: frozenset(map(str, group)) for word, group in GROUPS.items()},
    "cancelled": frozenset({str(RunStatus.CANCELED)}),
}
YES_NO = {"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no"}

_ALL = (
    Qualifier("status", WORD, "Where it stands", "status:failed", "status", tuple(STATUSES)),
    Qualifier("task", TEXT, "Its task", "task:send-*", "task_id"),
    Qualifier("queue", TEXT, "Its queue", "queue:mail", "queue"),
    Qualifier("tag", TEXT, "A tag of it", "tag:user_1"),
    Qualifier("run", ID, "Its id, or how that begins", "run:run_01k"),
    Qualifier("error", PART, "Words of its error's name or message", "error:Timeout"),
    Qualifier("group", ID, "The error it failed by, by its fingerprint", "group:3f2a"),
    Qualifier("dur", SPAN, "From first start to end or now", "dur:>30s"),
    Qualifier("wait", SPAN, "From joining the queue to the first start", "wait:>5m"),
    Qualifier("attempts", NUMBER, "Tries so far", "attempts:>1"),
    Qualifier("after", TIME, "Made after: so long ago, or a date", "after:2h"),
    Qualifier("before", TIME, "Made before: so long ago, or a date", "before:2026-11-23"),
    Qualifier("version", TEXT, "Version of the code", "version:v7", "version"),
    Qualifier("worker", TEXT, "Host, cluster or session that executed it", "worker:host-1"),
    Qualifier("machine", TEXT, "Its machine", "machine:large-1x", "machine"),
    Qualifier("key", TEXT, "Its concurrency key", "key:customer-7", "concurrency_key"),
    Qualifier("by", TEXT, "Who triggered it", "by:ada", "actor"),
    Qualifier("source", WORD, "What triggered it", "source:api", "source", tuple(Source.values)),
    Qualifier("batch", ID, "Its batch", "batch:batch_01k", "batch_id"),
    Qualifier("schedule", ID, "Its schedule", "schedule:sched_01k", "schedule_id"),
    Qualifier("bulk", ID, "A bulk action that touched it", "bulk:bulk_01k"),
    Qualifier("parent", ID, "The run that triggered it", "parent:run_01k", "parent_id"),
    Qualifier("root", ID, "The tree it belongs to; yes for top runs only", "root:yes"),
    Qualifier("origin", ID, "The run it is a replay of", "origin:run_01k", "replayed_from_id"),
    Qualifier("test", WORD, "Whether it is a test run", "test:no", "is_test", tuple(YES_NO)),
)
QUALIFIERS = {one.name: one for one in _ALL}
#: Other words for some.
ALIASES = {
    "tags": "tag",
    "tasks": "task",
    "id": "run",
    "duration": "dur",
    "attempt": "attempts",
    "since": "after",
    "until": "before",
    "actor": "by",
    "replay": "origin",
}
EXAMPLES = (
    *((one.example, one.help) for one in _ALL),
    ("payload.order_id:42", "A value in the payload"),
    ("output.total:>100", "A number in the output"),
    ('metadata["step name"]:done', "A value in the metadata"),
    ("-tag:internal", "Not this"),
    ("status:failed status:crashed", "Either of the two"),
    ('error:"mailbox is full"', "Words with spaces"),
    ("send", "A word alone: part of the task's id"),
)
