"""Environment variables of all runs: set, deleted, and read by those who execute.

Values are encrypted in the database and appear in no audit entry, error or log.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F

from runs import signals
from runs.encryption import decrypt, encrypt
from runs.errors import InvalidOption, NotFound, Undecipherable
from runs.lifecycle import audit
from runs.models import EnvRevision, EnvVar

NAME = re.compile(r"\w{1,256}", re.ASCII)
#: What one command line may carry of a variable, with its name (Linux: 128 KiB).
LARGEST = 65_536
MOST = 500
#: Bytes of all names and values: a run can still start other programs, which get them all.
TOTAL = 524_288
#: What decides how Trackside itself, Django, Python and the loader work in the process of a run.
RESERVED = re.compile(
    r"(?:TRACKSIDE|DJANGO|LD|DYLD)_\w*|(?:PYTHON|PG)[A-Z]*|TRIGGER_(?:SECRET_KEY|API_URL)|"
    r"DATABASE_URL|SECRET_KEY(?:_FALLBACKS)?|TZ",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """All variables as runs get them, and how often they had changed by then."""

    revision: int
    values: dict[str, str]
    #: Names of those that were encrypted under another SECRET_KEY.
    unreadable: list[str]


class AlreadySet(InvalidOption):
    """Variables that exist already, where they are not to be replaced; `names` says which."""

    def __init__(self, names: list[str]) -> None:
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        super().__init__("variables", f"These are set already: {shown}. Nothing was changed.")
        self.names = names


def put(
    values: Mapping[str, str],
    *,
    actor: str,
    secret: bool | Mapping[str, bool] = False,
    override: bool = True,
) -> int:
    """Set variables, all or none. Returns how many differ now from before.

    `secret` can only be given, never taken away. Raises InvalidOption for names and values that
    cannot be, and AlreadySet.
    """
    for name, value in values.items():
        check(name, value)
    wanted = secret if isinstance(secret, Mapping) else dict.fromkeys(values, secret)
    with transaction.atomic():
        _lock()
        known = {row.name: row for row in EnvVar.objects.filter(name__in=list(values))}
        if known and not override:
            raise AlreadySet(sorted(known))
        changed = [
            name
            for name, value in values.items()
            if _put(known.get(name), name, value, secret=wanted.get(name, False), actor=actor)
        ]
        _check_room()
        if changed:
            _changed()
    return len(changed)


def _put(row: EnvVar | None, name: str, value: str, *, secret: bool, actor: str) -> bool:
    """Write one that differs; whether it did."""
    if row is not None and _plain(row) == value and (row.is_secret or not secret):
        return False
    action = "envvar.create" if row is None else "envvar.update"
    row = row or EnvVar(name=name)
    row.value, row.size = encrypt(value), len(value.encode())
    row.is_secret, row.updated_by = row.is_secret or secret, actor
    row.save()
    audit.record(actor, action, name, secret=row.is_secret)
    return True


def update(name: str, value: str, *, actor: str, secret: bool = False) -> None:
    """Set a variable there is. Raises NotFound and what `put` raises."""
    with transaction.atomic():
        _lock()
        find(name)
        put({name: value}, actor=actor, secret=secret)


def delete(name: str, *, actor: str) -> None:
    """Remove a variable. Raises NotFound."""
    with transaction.atomic():
        _lock()
        row = find(name)
        row.delete()
        audit.record(actor, "envvar.delete", name, secret=row.is_secret)
        _changed()


def find(name: str) -> EnvVar:
    """Raises NotFound."""
    found = EnvVar.objects.filter(name=name).first() if NAME.fullmatch(name) else None
    if found is None:
        raise NotFound(f"There is no environment variable {name[:60]!r}.")
    return found


def loaded() -> Loaded:
    """What runs that start now are to have."""
    # the number first: a change in between is one more, and looked for again
    number = revision()
    values: dict[str, str] = {}
    unreadable = []
    for row in EnvVar.objects.all():
        try:
            values[row.name] = decrypt(row.value)
        except Undecipherable:
            unreadable.append(row.name)
    return Loaded(number, values, unreadable)


def revision() -> int:
    """Grows with every change."""
    return EnvRevision.objects.values_list("number", flat=True).first() or 0


def check(name: str, value: str) -> None:
    """Raise InvalidOption for what cannot be an environment variable."""
    if NAME.fullmatch(name) is None:
        raise InvalidOption(
            "name", f"A name is 1 to 256 letters, digits and underscores; got {name[:60]!r}."
        )
    if RESERVED.fullmatch(name):
        raise InvalidOption(
            "name", f"{name} is reserved: it would change how Trackside itself works. Take another."
        )
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        size = -1
    if size < 0 or "\x00" in value:
        raise InvalidOption(
            "value", f"The value of {name} contains a character no environment can hold."
        )
    if size > LARGEST:
        raise InvalidOption(
            "value", f"The value of {name} has {size:,} bytes; the limit is {LARGEST:,}."
        )


def _check_room() -> None:
    sizes = [len(name) + size for name, size in EnvVar.objects.values_list("name", "size")]
    if len(sizes) > MOST:
        raise InvalidOption("variables", f"There may be {MOST} variables; these would be more.")
    if sum(sizes) > TOTAL:
        raise InvalidOption(
            "variables",
            f"All names and values together would have {sum(sizes):,} bytes; the limit is {TOTAL:,}.",
        )


def _plain(row: EnvVar) -> str | None:
    try:
        return decrypt(row.value)
    except Undecipherable:
        return None


def _lock() -> None:
    """Changes take turns, so that limits hold and none is lost to another."""
    EnvRevision.objects.get_or_create(pk=1)
    EnvRevision.objects.select_for_update().get(pk=1)


def _changed() -> None:
    EnvRevision.objects.filter(pk=1).update(number=F("number") + 1)
    transaction.on_commit(lambda: signals.variables_changed.send(sender=EnvVar))
