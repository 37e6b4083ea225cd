"""The lines of the Logs tab, put together here: a template takes ten times as long, and there are hundreds."""

from collections.abc import Iterable, Iterator
from html import escape

from django.utils import timezone
from django.utils.safestring import SafeString

from dashboard import clocks
from dashboard.pages import ansi
from dashboard.templatetags import trackside
from runs.models import LogLine

#: Who says in a log that lines were left out.
OURS = "trackside"
#: Loggers that say nothing about where a line is from.
PLAIN = ("root", "stdout")


def drawn(
    lines: Iterable[LogLine], query: str, marked: int, *, is_first: bool, with_attempts: bool
) -> SafeString:
    """Items of a list, with the days between them. `query` is the address of the view they stand in."""
    link = f'"><a class="quiet" href="?{escape(query)}&amp;line='
    return SafeString("".join(_items(lines, link, marked, is_first, with_attempts)))


def _items(
    lines: Iterable[LogLine], link: str, marked: int, is_first: bool, with_attempts: bool
) -> Iterator[str]:
    zone, today, clock = timezone.get_current_timezone(), timezone.localdate(), clocks.current()
    before = today if is_first else None
    for line in lines:
        local = line.at.astimezone(zone)
        day = local.date()
        if before is not None and day != before:
            yield f'<li class="day">{day:%A, %-d %B %Y}</li>'
        before = day
        word, number = trackside.level(line.level), line.pk
        css = f"l-{word}" + (" ours" if line.logger == OURS else "")
        css += " marked" if number == marked else ""
        attempt = f"<i>#{line.attempt}</i> " if with_attempts else ""
        logger = "" if line.logger in PLAIN else f"<i>{escape(line.logger)}</i> "
        yield (
            f'<li id="L{number}" class="{css}{link}{number}#L{number}">'
            f"{trackside.clock_time(local, clock)}</a>"
            f" <b>{word}</b> {logger}{attempt}<span>{ansi.shown(line.message)}</span></li>"
        )
