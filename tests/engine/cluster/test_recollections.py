from django.utils import timezone

from engine.cluster import recollections
from engine.cluster.recollections import Recollection, Recollections
from runs.journal import Entry, Target
from runs.states import EntryKind, EntryStatus


def left(*targets):
    entries = [
        Entry(EntryKind.CHILD, "send", number, 1, number, EntryStatus.PENDING, timezone.now())
        for number, _ in enumerate(targets, start=1)
    ]
    known = {target.id: target for target in targets}
    pairs = zip(entries, targets, strict=True)
    return Recollection("token", [one._replace(target=of.id) for one, of in pairs], known)


def test_what_is_taken_is_forgotten():
    kept, one = Recollections(), left()
    kept.keep("run_1", one)
    assert kept.take("run_1") == one
    assert kept.take("run_1") is None


def test_only_what_may_have_ended_is_asked_for():
    ended = Target("run_2", "COMPLETED", ended_at=timezone.now())
    assert left(ended, Target("run_3", "QUEUED")).open_targets == ["run_3"]


def test_the_oldest_are_forgotten_first(monkeypatch):
    monkeypatch.setattr(recollections, "MOST", 3)
    kept = Recollections()
    for name in ("run_1", "run_2"):
        kept.keep(name, left(Target("a", "QUEUED"), Target("b", "QUEUED")))
    assert kept.take("run_1") is None
    assert kept.take("run_2")
