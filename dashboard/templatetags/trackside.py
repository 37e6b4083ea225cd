"""How templates say statuses, times, durations and sizes: the same way everywhere."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from urllib.parse import urlencode

from django import template
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString

from dashboard import clocks, presenters, sight
from dashboard.clocks import Clock
from dashboard.presenters import Look
from runs.lifecycle.audit import VERBS

register = template.Library()


@register.simple_tag
def icon(name: str, css: str = "") -> SafeString:
    """A glyph of the sprite; decoration, the word stands beside it."""
    return _icon(name, css, get_script_prefix())


@register.simple_tag
def status(look: Look) -> SafeString:
    """Glyph and word."""
    return _status(look, get_script_prefix())


@register.simple_tag
def live_board(view: str, /, *args: str, **asked: object) -> SafeString:
    """What keeps `#board` of a page up to date: the page's address with what was asked for."""
    query = urlencode({name: value for name, value in asked.items() if value not in ("", None)})
    return format_html(
        '<span id="live-on" data-live data-every="5" hx-get="{}" hx-trigger="tick"'
        ' hx-target="#board" hx-swap="outerHTML"></span>',
        reverse(view, args=args) + (f"?{query}" if query else ""),
    )


@register.simple_tag
def spaces(count: int) -> str:
    """Under a text of as many characters."""
    return " " * count


@register.filter
def moment(value: datetime | None) -> SafeString | str:
    """The time of day today, the date before; the whole of it on hover and for the script."""
    return _time(value)


@register.filter
def exact(value: datetime | None) -> SafeString | str:
    """Like `moment`, to the second on any day: where the order of things matters."""
    if value is None:
        return "–"
    local, clock = timezone.localtime(value), clocks.current()
    return SafeString(_markup(local, _near(local, timezone.localdate(), clock, seconds=True)))


@register.filter
def ago(value: datetime | None) -> SafeString | str:
    """Like `moment`; the script turns it into "3 m ago" and keeps it so."""
    return _time(value, " data-ago" if clocks.current().relative else "")


@register.simple_tag
def now_time() -> str:
    """The time of day in the zone of the page."""
    return clocks.current().time(timezone.localtime(), seconds=False)


@register.simple_tag
def ticking(since: datetime | None, shown: timedelta | None) -> SafeString | str:
    """A duration that grows while there is a `since`; the script counts on from there."""
    if since is None:
        return presenters.duration_text(shown)
    return format_html(
        '<span data-since="{}">{}</span>',
        since.isoformat(timespec="milliseconds"),
        presenters.duration_text(shown),
    )


@register.filter
def duration(value: timedelta | float | None) -> str:
    return presenters.duration_text(value)


@register.filter
def short(run_id: str) -> str:
    return presenters.short_id(run_id)


@register.filter
def seen(text: str) -> str:
    """A message as its reader may see it."""
    return sight.HIDDEN if text and sight.is_hidden() else sight.text(text)


@register.filter
def size(count: int) -> str:
    return presenters.size_text(count)


@register.filter
def who(actor: str) -> str:
    """Without the kind of actor: "user:ada" as "ada", "key:ci" as "key ci"."""
    kind, _, name = actor.partition(":")
    if not name:
        return actor
    return name if kind == "user" else f"{kind} {name}"


@register.filter
def verb(action: str) -> str:
    """An action of the audit log in words."""
    return VERBS.get(action, action)


@register.filter
def number(value: float | None) -> str:
    """With commas; a dash for None."""
    return "–" if value is None else f"{value:,}"


@register.filter
def percent(rate: float | None) -> str:
    if rate is None:
        return "–"
    return f"{rate:.0%}" if rate >= 0.1 or rate == 0 else f"{rate:.1%}"


@register.filter
def level(number: int) -> str:
    """Python's level number as a word."""
    for least, word in ((40, "error"), (30, "warn"), (20, "info")):
        if number >= least:
            return word
    return "debug"


# A page draws the same few hundreds of times. The prefix is where the sprite's address begins.
@cache
def _icon(name: str, css: str, prefix: str) -> SafeString:
    return format_html(
        '<svg class="icon {}" aria-hidden="true"><use href="{}#{}"/></svg>',
        css,
        static("dashboard/icons.svg"),
        name,
    )


@cache
def _status(look: Look, prefix: str) -> SafeString:
    return format_html(
        '<span class="status t-{}" title="{}">{}{}</span>',
        look.tone,
        look.help,
        _icon(look.glyph, "spin" if look.glyph == "executing" else "", prefix),
        look.word,
    )


def _time(value: datetime | None, mark: str = "") -> SafeString | str:
    if value is None:
        return "–"
    today, clock = timezone.localdate(), clocks.current()
    return SafeString(local_time(timezone.localtime(value), today, clock, mark))


def local_time(local: datetime, today: date, clock: Clock, mark: str = "") -> str:
    """Markup of a moment in the zone of the page, for hundreds of them: these ask once what day it is."""
    return _markup(local, _near(local, today, clock), mark)


def clock_time(local: datetime, clock: Clock) -> str:
    """Markup of a moment under a heading that says its day."""
    return _markup(local, clock.time(local, seconds=True))


def _markup(local: datetime, near: str, mark: str = "") -> str:
    # digits and a zone's name: nothing to escape
    stamp = local.isoformat(timespec="milliseconds")
    return f'<time datetime="{stamp}"{mark} title="{_full(local)}">{near}</time>'


def _near(local: datetime, today: date, clock: Clock, *, seconds: bool = False) -> str:
    if local.date() == today:
        return clock.time(local, seconds=True)
    hour = clock.time(local, seconds=seconds)
    return f"{local:%-d %b} {hour}" if local.year == today.year else f"{local:%Y-%m-%d} {hour}"


def _full(local: datetime) -> str:
    here = f"{local.isoformat(' ', 'milliseconds')[:23]} {local.tzname()}"
    if not local.utcoffset():
        return here
    return f"{here} · {local.astimezone(UTC):%H:%M:%S} UTC"


@register.filter
def coded(text: str) -> SafeString:
    """A sentence whose words between backticks are code."""
    # every second part stood between backticks
    return SafeString(
        "".join(
            f"<code>{escape(part)}</code>" if number % 2 else escape(part)
            for number, part in enumerate(text.split("`"))
        )
    )
