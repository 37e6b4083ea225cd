"""An exception as bounded JSON, however hostile it is (features.md 4.7)."""

import json
import linecache
import sysconfig
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from traceback import walk_tb
from types import CodeType, TracebackType
from typing import Any

MAX_MESSAGE = 1000
#: The message stands in full beside the stack trace; with it twice, nothing else would fit.
MAX_TRACE_MESSAGE = 200
MAX_LINE = 1024
MAX_FRAMES = 50
KEPT_FIRST = 5
MAX_CAUSES = 10
MAX_TEXT = 16_384
#: Frames and causes to try in turn until the whole fits.
SIZES = ((MAX_FRAMES, MAX_CAUSES), (25, 5), (12, 3), (6, 1), (2, 0), (0, 0))

OURS = str(Path(__file__).resolve().parents[1])
NOT_AUTHORS = tuple(
    {OURS, str(Path(OURS).with_name("runs"))}
    | {
        str(Path(path).resolve())
        for key in ("stdlib", "platstdlib")
        if (path := sysconfig.get_path(key))
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """One line of a traceback; `own` is the task author's code."""

    file: str
    line: int
    function: str
    text: str
    own: bool


def describe(error: BaseException, code: str = "", message: str = "") -> str:
    """The error as JSON text of at most 16 KB. With a `code` it is one of ours, not the author's."""
    try:
        return fitting(error, code, message)
    except Exception:  # an exception whose attributes fail too
        return dumps(bare(error, code, "The error could not be described."))


def bare(error: BaseException, code: str, message: str) -> dict[str, Any]:
    """What can be said of any exception."""
    name = cut(safe(lambda: type(error).__name__), MAX_TRACE_MESSAGE)
    said = cut(message or safe(lambda: str(error)), MAX_TRACE_MESSAGE)
    return {**head(code, name, said), "stack_trace": "", "frames": [], "causes": []}


def fitting(error: BaseException, code: str, message: str) -> str:
    for frames, causes in SIZES:
        text = dumps(described(error, code, message, frames, causes))
        if len(text) <= MAX_TEXT:
            return text
    return dumps(bare(error, code, message))


def described(
    error: BaseException, code: str, message: str, frames: int, causes: int
) -> dict[str, Any]:
    own, chain = told(error, frames), list(related(error, causes))
    others = [{**told(cause, frames), "relation": relation} for relation, cause in chain]
    return {
        **head(code, own["name"], message or own["message"]),
        "stack_trace": "\n\n".join([stack_trace(own), *map(stack_trace, others)]),
        "frames": own["frames"],
        "causes": others,
    }


def told(error: BaseException, frames: int) -> dict[str, Any]:
    """One exception without its causes."""
    return {
        "name": cut(safe(lambda: type(error).__name__), 200),
        "message": cut(safe(lambda: str(error)), MAX_MESSAGE),
        "frames": [asdict(frame) for frame in frames_of(error, frames)],
    }


def head(code: str, name: str, message: str) -> dict[str, str]:
    facts = {"type": "INTERNAL_ERROR" if code else "BUILT_IN_ERROR", "name": name}
    return facts | ({"code": code} if code else {}) | {"message": cut(message, MAX_MESSAGE)}


def safe(text: Callable[[], str]) -> str:
    """What `text()` returns, or a note on why it does not."""
    try:
        return str(text())
    except BaseException as error:  # __str__ may raise anything, SystemExit included
        return f"<its text could not be made: {type(error).__name__}>"


def related(error: BaseException, limit: int) -> Iterator[tuple[str, BaseException]]:
    """Causes, contexts and members of groups, each once, nearest first."""
    seen, waiting = {id(error)}, [error]
    while waiting and limit > 0:
        for relation, cause in neighbours(waiting.pop(0)):
            if id(cause) not in seen and limit > 0:
                seen.add(id(cause))
                waiting.append(cause)
                limit -= 1
                yield relation, cause


def neighbours(error: BaseException) -> Iterator[tuple[str, BaseException]]:
    if isinstance(error, BaseExceptionGroup):
        yield from (("member", member) for member in error.exceptions)
    if error.__cause__ is not None:
        yield "cause", error.__cause__
    elif error.__context__ is not None and not error.__suppress_context__:
        yield "context", error.__context__


def frames_of(error: BaseException, limit: int) -> list[Frame]:
    """Frames outermost first, ours left out; of many the first five and the last ones."""
    places = [
        place for place in places_of(error.__traceback__) if not is_ours(place[0].co_filename)
    ]
    if len(places) > limit:
        first = min(KEPT_FIRST, limit // 2)
        places = places[:first] + places[len(places) - (limit - first) :]
    return [frame_at(code, line) for code, line in places]


def places_of(trace: TracebackType | None) -> Iterator[tuple[CodeType, int]]:
    for frame, line in walk_tb(trace):
        yield frame.f_code, line or frame.f_code.co_firstlineno


def frame_at(code: CodeType, line: int) -> Frame:
    return Frame(
        file=cut(code.co_filename, MAX_LINE),
        line=line,
        function=cut(code.co_qualname, 200),
        text=cut(safe(lambda: linecache.getline(code.co_filename, line).strip()), MAX_LINE),
        own=is_authors(code.co_filename),
    )


@cache
def is_ours(file: str) -> bool:
    return file.startswith(OURS)


@cache
def is_authors(file: str) -> bool:
    """Whether a file is the task author's: not Python's, not a package's, not ours."""
    if file.startswith("<"):
        return False
    path = Path(file)
    installed = {"site-packages", "dist-packages"} & set(path.parts)
    return not installed and not str(path).startswith(NOT_AUTHORS)


#: How the stack trace introduces an exception that another one came from.
LEADS = {"cause": "Caused by:", "context": "While handling:", "member": "With:"}


def stack_trace(told: dict[str, Any]) -> str:
    """The traceback as Python prints it, causes below."""
    lines = [LEADS[told["relation"]]] if "relation" in told else []
    lines += ["Traceback (most recent call last):"] if told["frames"] else []
    for frame in told["frames"]:
        lines.append(f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}')
        lines += [f"    {frame['text']}"] if frame["text"] else []
    name, message = told["name"], cut(told["message"], MAX_TRACE_MESSAGE)
    return "\n".join([*lines, f"{name}: {message}" if message else name])


def cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def dumps(facts: dict[str, Any]) -> str:
    return json.dumps(facts, ensure_ascii=True)
