"""Alert channels and rules: what people set up, and messages to channels as runs of our own (DEC-51)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.utils import timezone

from runs import encryption
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import audit, checks, triggering
from runs.lifecycle.options import TriggerOptions
from runs.models import (
    AlertChannel,
    AlertDelivery,
    AlertRule,
    ChannelKind,
    DeliveryStatus,
    ErrorGroup,
    RuleKind,
    Source,
)
from runs.models.task import OWN
from runs.states import FINAL

#: The task whose runs deliver. Runs of our own tasks never make an alert.
TASK = f"{OWN}alert"
QUEUE = "trackside.alerts"
MAIL = re.compile(r"[^@\s,<>]{1,64}@[^@\s,<>]{1,200}")
MOST_MAILS = 20
COUNTED = (RuleKind.BACKLOG, RuleKind.OLDEST)
#: Kinds that tell each one, or with a threshold when there are too many.
BOUNDED = (RuleKind.FAILED_SO, RuleKind.IN_VIEW)


def save_channel(
    name: str,
    kind: str,
    address: str,
    *,
    secret: str = "",
    actor: str,
    pk: int | None = None,
    active: bool = True,
) -> AlertChannel:
    """Make a channel, or change the one with this number; an empty address keeps the one it has.

    Raises InvalidOption, NotFound.
    """
    row = AlertChannel(created_by=actor) if pk is None else channel(pk)
    held = {} if pk is None else secrets(row)
    told = {"address": address.strip() or held.get("address", "")}
    told["secret"] = secret or held.get("secret", "")
    row.name, row.kind, row.active = _name(name), _kind(kind), active
    row.shown = _checked(row.kind, told)
    row.secret = encryption.encrypt(json.dumps(told))
    facts = {"name": row.name, "kind": row.kind, "to": row.shown, "active": active}
    _save(row, actor, "alert.channel", facts)
    return row


@dataclass(frozen=True)
class Watched:
    """What a rule watches: `kind` says which of the others count."""

    kind: str
    statuses: Sequence[str] = ()
    task_id: str = ""
    queue: str = ""
    threshold: float | None = None
    fingerprint: str = ""
    #: Number of a saved view, and what it searches for.
    view: int | None = None
    selection: Mapping[str, Any] | None = None


def save_rule(
    name: str,
    watched: Watched,
    *,
    channels: Sequence[int],
    active: bool = True,
    actor: str,
    pk: int | None = None,
) -> AlertRule:
    """Make a rule, or change the one with this number. Raises InvalidOption, NotFound."""
    row = AlertRule() if pk is None else rule(pk)
    row.name, row.active = _name(name), active
    _watch(row, watched)
    found = list(AlertChannel.objects.filter(pk__in=channels))
    if not found:
        _refuse("channels", "Choose at least one channel.")
    facts = {"name": row.name, "kind": row.kind, "channels": [one.name for one in found]}
    with transaction.atomic():
        _save(row, actor, "alert.rule", facts | {"active": active})
        row.channels.set(found)
    return row


def _watch(row: AlertRule, watched: Watched) -> None:
    kind, threshold = watched.kind, watched.threshold
    if kind not in RuleKind.values:
        _refuse("kind", "There is no such kind.")
    if kind == RuleKind.STATUS and not set(watched.statuses) & FINAL:
        _refuse("statuses", "Choose at least one status.")
    if kind in COUNTED and (threshold is None or not 0 <= threshold < 1e9):
        _refuse("threshold", "Say how many, or how many seconds.")
    row.kind, row.threshold, row.firing = kind, threshold, "{}"
    row.statuses = json.dumps([one for one in watched.statuses if one in FINAL])
    row.task_id, row.queue = watched.task_id.strip(), watched.queue.strip()
    _narrow(row, watched)


def _narrow(row: AlertRule, watched: Watched) -> None:
    """To one error, or to the runs of one search."""
    fingerprint, is_view = (
        watched.fingerprint.strip().removeprefix("error_"),
        row.kind == RuleKind.IN_VIEW,
    )
    if row.kind == RuleKind.FAILED_SO and not ErrorGroup.objects.filter(pk=fingerprint).exists():
        _refuse("fingerprint", "Name the error: its number stands at the top of its page.")
    if is_view and watched.selection is None:
        _refuse("view", "Choose a saved view.")
    if row.kind in BOUNDED and watched.threshold is not None and not 0 <= watched.threshold < 1e6:
        _refuse("threshold", "0 to a million, or empty: then each one is told.")
    row.fingerprint = fingerprint if row.kind == RuleKind.FAILED_SO else ""
    row.view_id = watched.view if is_view else None
    row.selection = json.dumps(watched.selection) if is_view else ""


def follow_view(number: int, selection: Mapping[str, Any]) -> None:
    """A saved view searches for something else now: so do the rules about it, from the next look on."""
    text = json.dumps(selection)
    rules = AlertRule.objects.filter(view_id=number).exclude(selection=text)
    rules.update(selection=text, firing="{}")


def delete(row: AlertChannel | AlertRule, *, actor: str) -> None:
    with transaction.atomic():
        audit.record(actor, "alert.delete", row.name, kind=row.kind)
        row.delete()


def test(row: AlertChannel, *, actor: str) -> AlertDelivery:
    """Send a message to a channel, as alerts are sent."""
    title = f"Test of “{row.name}”"
    line = {"text": "Trackside sends alerts here.", "path": "/settings/alerts"}
    with transaction.atomic():
        audit.record(actor, "alert.test", row.name)
        return deliver(row, None, {"title": title, "count": 1, "items": [line], "test": True})


def deliver(row: AlertChannel, by: AlertRule | None, message: dict[str, Any]) -> AlertDelivery:
    """Have a run of ours send a message, in the transaction of what it tells about."""
    made = AlertDelivery.objects.create(
        channel=row, rule=by, at=timezone.now(), message=json.dumps(message)
    )
    sent = triggering.trigger(
        TASK,
        json.dumps({"delivery": made.pk}),
        TriggerOptions(tags=("alert",), idempotency_key=f"alert-{made.pk}"),
        source=Source.SDK,
        actor="system",
        validated=True,
    )
    made.run_id = sent.run_id
    made.save(update_fields=["run_id"])
    return made


def again(pk: int, *, actor: str) -> AlertDelivery:
    """Send what was not delivered once more. Raises NotFound, InvalidOption."""
    old = AlertDelivery.objects.select_related("channel", "rule").filter(pk=pk).first()
    if old is None:
        raise NotFound(f"There is no delivery number {pk}.")
    if old.status != DeliveryStatus.FAILED:
        _refuse("", "It was delivered, or still will be.")
    with transaction.atomic():
        audit.record(actor, "alert.test", old.channel.name, again=pk)
        return deliver(old.channel, old.rule, old.told)


def note(row: AlertDelivery, status: str, answer: str) -> None:
    """What became of a try to deliver it."""
    AlertDelivery.objects.filter(pk=row.pk).update(
        status=status,
        attempts=row.attempts + 1,
        answer=answer[:500],
        ended_at=None if status == DeliveryStatus.PENDING else timezone.now(),
    )


def secrets(row: AlertChannel) -> dict[str, str]:
    """Address and signing secret. Raises Undecipherable."""
    found: dict[str, str] = json.loads(encryption.decrypt(row.secret))
    return found


def channel(pk: int) -> AlertChannel:
    """Raises NotFound."""
    found = AlertChannel.objects.filter(pk=pk).first() if pk < 1 << 63 else None
    if found is None:
        raise NotFound(f"There is no alert channel number {pk}.")
    return found


def rule(pk: int) -> AlertRule:
    """Raises NotFound."""
    found = AlertRule.objects.filter(pk=pk).first() if pk < 1 << 63 else None
    if found is None:
        raise NotFound(f"There is no alert rule number {pk}.")
    return found


def _save(row: Any, actor: str, action: str, facts: dict[str, Any]) -> None:
    try:
        with transaction.atomic():
            row.save()
            audit.record(actor, action, row.name, **facts)
    except IntegrityError:
        raise InvalidOption("name", f"There is one named “{row.name}” already.") from None


def _name(name: str) -> str:
    checks.text("name", name)
    if not name.strip() or len(name) > 100:
        _refuse("name", "A name has 1 to 100 characters.")
    return name.strip()


def _kind(kind: str) -> str:
    return kind if kind in ChannelKind.values else _refuse("kind", "There is no such kind.")


def _checked(kind: str, told: dict[str, str]) -> str:
    """What of the address may be shown."""
    address = told["address"]
    if kind == ChannelKind.EMAIL:
        mails = [part.strip() for part in address.split(",") if part.strip()]
        if not 1 <= len(mails) <= MOST_MAILS or not all(map(MAIL.fullmatch, mails)):
            _refuse("address", f"1 to {MOST_MAILS} mail addresses, with commas between them.")
        return ", ".join(mails)[:300]
    try:
        parts = urlsplit(address)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.username or parts.password or len(address) > 2000:
        _refuse("address", "An address like https://example.com/hook, without name and password.")
    if kind == ChannelKind.WEBHOOK and len(told["secret"]) < 16:
        _refuse("secret", "A secret of at least 16 characters: requests are signed with it.")
    return f"{parts.scheme}://{parts.netloc}/…"[:300]


def _refuse(option: str, message: str) -> Any:
    raise InvalidOption(option, message)
