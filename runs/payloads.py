"""JSON in and out: the guard every payload passes, the schema check, and our own writing of JSON.

The guard accepts the same documents on every Python (the interpreters differ in depth, digits and
NaN) and returns them as they came: `1e2`, repeated keys and `\\u0000` or lone surrogate escapes are
stored as the text they are. Only escapes can stand for a lone surrogate or U+0000 in a document we
accept, so the text always fits a UTF-8 column.
"""

import json
import logging
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate, islice
from typing import Any, NoReturn

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match
from referencing.jsonschema import EMPTY_REGISTRY

from runs import conf
from runs.errors import InvalidPayload, PayloadTooLarge

logger = logging.getLogger(__name__)

MAX_DEPTH = 64
MAX_DIGITS = 1000
#: What RFC 8259 calls whitespace; `str.strip()` knows more.
WHITESPACE = " \t\n\r"
#: A string of a document, also one that never ends: one pass, no backtracking.
STRING = r'"(?:[^"\\]++|\\.)*+"?'
STRINGS = re.compile(STRING, re.DOTALL)
NOT_BRACKETS = re.compile(r"[^\[\]{}]+")
STEPS = {"[": 1, "{": 1, "]": -1, "}": -1}
#: Strings, brackets, and the words and numbers between them.
TOKEN = re.compile(STRING + r"|[\[\]{}]|[^\s\[\]{}:,\"]+", re.DOTALL)


class _TokenError(ValueError):
    """A number or word the parser hands over and we do not take."""

    def __init__(self, token: str, reason: str) -> None:
        super().__init__(reason)
        self.token, self.reason = token, reason


def clean(raw: bytes | str, *, limit: int | None = None, depth: int = MAX_DEPTH) -> str:
    """The text of the JSON document `raw`, byte for byte, without the whitespace around it.

    Raises PayloadTooLarge above `limit` bytes (default: the setting PAYLOAD_LIMIT) and
    InvalidPayload, with line and column, for anything RFC 8259 does not allow in UTF-8, for numbers
    of more than 1,000 digits or beyond a double, and for more than `depth` levels.
    """
    text = _decoded(raw, conf.get("PAYLOAD_LIMIT") if limit is None else limit)
    if text.count("[") + text.count("{") > depth:
        _check_depth(text, depth)
    try:
        _guard.decode(text)
    except _TokenError as refused:
        _fail(text, _position(text, refused.token), refused.reason)
    except json.JSONDecodeError as error:
        if not text.strip(WHITESPACE):
            raise InvalidPayload("The document is empty.", line=1, column=1) from None
        _fail(text, error.pos, error.msg)
    return text.strip(WHITESPACE)


def loads(text: str) -> Any:
    """The value of a document `clean` accepted; integers stay exact."""
    return json.loads(text)


def dumps(value: object) -> str:
    """ASCII JSON of a plain value; raises InvalidPayload for NaN, infinities and other types."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidPayload(f"The value is not JSON: {error}.") from error


def check(schema: str, payload: str) -> None:
    """Raise InvalidPayload with the JSON path if `payload` is not what `schema` asks for.

    A schema that is itself broken checks nothing: the task's own code validates again when the run
    starts, and an author's mistake must not look like the caller's.
    """
    validator = _validator(schema)
    if validator is None:
        return
    try:
        error = best_match(islice(validator.iter_errors(loads(payload)), 20))
    except ArithmeticError as problem:
        raise InvalidPayload("A number is too large for the task's schema.", path="$") from problem
    except Exception:  # a $ref to nowhere, a pattern Python cannot compile, endless recursion
        logger.warning("A task's JSON Schema cannot be applied.", exc_info=True)
        return
    if error is not None:
        raise _mismatch(error)


def _decoded(raw: bytes | str, limit: int) -> str:
    """`raw` as text of at most `limit` UTF-8 bytes."""
    if len(raw) > limit:
        raise _too_large(len(raw), limit)
    if isinstance(raw, bytes):
        text = _from_utf8(raw)
    else:
        text = raw
        _check_characters(text, limit)
    if text.startswith("\ufeff"):
        raise InvalidPayload(
            "The document starts with a byte order mark; send UTF-8 without one.", line=1, column=1
        )
    return text


def _from_utf8(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode()
        line, column = _line_and_column(before, len(before))
        raise InvalidPayload(
            f"The document is not UTF-8: byte 0x{raw[error.start]:02x} "
            f"at line {line}, column {column}.",
            line=line,
            column=column,
        ) from error


def _check_characters(text: str, limit: int) -> None:
    if text.isascii():
        return
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        _fail(text, error.start, "A lone surrogate is not a character")
    if size > limit:
        raise _too_large(size, limit)


def _too_large(size: int, limit: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"The payload has {size:,} bytes; the limit is {limit:,}.")


def _check_depth(text: str, limit: int) -> None:
    # Brackets in strings don't count. A mismatched pair may hide depth, but the parser stops there.
    brackets = NOT_BRACKETS.sub("", STRINGS.sub("", text))
    if max(accumulate(map(STEPS.__getitem__, brackets)), default=0) > limit:
        _fail(text, _too_deep(text, limit), f"More than {limit} levels of lists and objects")


def _too_deep(text: str, limit: int) -> int:
    depth = 0
    for token in TOKEN.finditer(text):
        depth += STEPS.get(token[0], 0)
        if depth > limit:
            return token.start()
    return len(text)


def _integer(digits: str) -> int:
    _check_digits(digits)
    return 0


def _double(digits: str) -> float:
    _check_digits(digits)
    if math.isinf(float(digits)):
        raise _TokenError(digits, "The number is too large")
    return 0.0


def _check_digits(digits: str) -> None:
    if len(digits) > MAX_DIGITS and sum(map(str.isdigit, digits)) > MAX_DIGITS:
        raise _TokenError(digits, f"A number has more than {MAX_DIGITS:,} digits")


def _constant(word: str) -> NoReturn:
    raise _TokenError(word, f"{word} is not JSON")


#: Only checks: the numbers it makes are thrown away.
_guard = json.JSONDecoder(parse_int=_integer, parse_float=_double, parse_constant=_constant)


def _position(text: str, word: str) -> int:
    """Where `word` stands outside strings."""
    tokens = (token for token in TOKEN.finditer(text) if token[0].startswith(word))
    return next(tokens).start()


def _fail(text: str, position: int, reason: str) -> NoReturn:
    line, column = _line_and_column(text, position)
    excerpt = _visible(text[max(0, position - 20) : position + 20])
    raise InvalidPayload(
        f"Not valid JSON at line {line}, column {column}: {reason}, near “{excerpt}”.",
        line=line,
        column=column,
    )


def _line_and_column(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _visible(text: str) -> str:
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@lru_cache(maxsize=256)
def _validator(schema: str) -> Draft202012Validator | None:
    try:
        document = json.loads(schema)
        Draft202012Validator.check_schema(document)
    except Exception:  # whatever is wrong with it, it is the author's to mend
        logger.warning("A task's JSON Schema is not valid.", exc_info=True)
        return None
    # An explicit registry: the default one would fetch remote references over the network.
    return Draft202012Validator(document, registry=EMPTY_REGISTRY)


def _mismatch(error: ValidationError) -> InvalidPayload:
    path = _shortened("".join(_path(error)), 200)
    return InvalidPayload(f"{path}: {_shortened(error.message, 300)}", path=path)


def _path(error: ValidationError) -> Iterator[str]:
    yield "$"
    for part in error.absolute_path:
        if isinstance(part, int):
            yield f"[{part}]"
        elif part.isidentifier():
            yield f".{part}"
        else:
            yield f"[{json.dumps(part)}]"


def _shortened(text: str, length: int) -> str:
    """The beginning and the end, where messages name the value and what was expected."""
    if len(text) <= length:
        return text
    return f"{text[: length // 2]}…{text[-length // 2 :]}"
