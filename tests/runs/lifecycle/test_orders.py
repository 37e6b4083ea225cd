import pytest

from runs.errors import InvalidOption, NotFound
from runs.lifecycle import fleet, orders, sessions
from runs.models import AuditLog, SessionState, WorkerSession
from tests.support import factories

pytestmark = pytest.mark.django_db
ADA = "user:ada"


def told(session, what, **facts):
    return orders.order(session.pk, what, actor=ADA, **facts)


def test_a_cluster_that_drains_takes_nothing_more():
    session = factories.session(slots=4)
    told(session, "drain", reason="new disk")
    session.refresh_from_db()
    assert (session.draining, fleet.Fleet.now().sessions) == (True, [])
    told(session, "resume")
    assert [one.pk for one in fleet.Fleet.now().sessions] == [session.pk]
    actions = AuditLog.objects.order_by("pk").values_list("action", "reason")
    assert list(actions) == [("worker.drain", "new disk"), ("worker.resume", "")]


@pytest.mark.parametrize(("before", "what"), [
    ([], "resume"), ([], "explode"), (["drain"], "drain"), (["stop"], "resume"), (["stop"], "stop"),
])  # fmt: skip
def test_refuses_what_cannot_be(before, what):
    session = factories.session()
    for one in before:
        told(session, one)
    with pytest.raises(InvalidOption):
        told(session, what)


def test_only_living_clusters_are_told():
    session = factories.session()
    WorkerSession.objects.update(state=SessionState.GONE)
    with pytest.raises(InvalidOption):
        told(session, "stop")
    with pytest.raises(NotFound):
        orders.order("worker_none", "stop", actor=ADA)


def test_one_that_stops_by_itself_is_not_told():
    session = factories.session()
    sessions.drain(session.pk)
    with pytest.raises(InvalidOption):
        told(session, "drain")


def test_the_next_session_of_a_drained_cluster_is_drained():
    first = factories.session()
    told(first, "drain")
    again = sessions.open_session("trackside", slots=1, version="v1", pid=1, after=first.pk)
    assert (again.draining, again.ordered, again.ordered_by) == (True, "drain", ADA)
