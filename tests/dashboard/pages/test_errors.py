from datetime import timedelta

import pytest
from django.utils import timezone

from runs.lifecycle import errorgroups
from runs.models import ErrorGroup
from tests.support.factories import ended_run
from tests.support.failing import error, failed_run, group_of, recovered_run

pytestmark = pytest.mark.django_db
ADA = "user:ada"


@pytest.fixture
def group():
    return group_of(failed_run(error("order 7 has no card")))


def shown(client, address="/errors", **headers):
    response = client.get(address, headers=headers)
    assert response.status_code == 200, response.status_code
    return response.content.decode()


def test_an_empty_page_says_what_will_be_here(viewer):
    assert "No failure yet" in shown(viewer)


def test_a_group_is_a_row(viewer, group):
    text = shown(viewer)
    assert "order 7 has no card" in text
    assert "tasks/billing.py:12 in charge" in text
    assert f'href="/errors/{group.pk}?period=7d"' in text
    assert "1 failures, at most 1" in text


def test_the_page_costs_few_reads(viewer, group, few_reads):
    for number in range(5):
        group_of(failed_run(error(f"{'x' * number} is missing")))
    shown(viewer)
    with few_reads(8):
        shown(viewer)


FILTERS = {
    "": True,
    "status=resolved": False,
    "status=any": True,
    "task=send": True,
    "task=other": False,
    "version=1": True,
    "version=2": False,
    "text=card+order": True,
    "text=billing.py": True,
    "text=card+nothing": False,
    "assignee=ada": False,
    "period=1h": True,
    "view=matrix": True,
    "view=matrix&text=nope": False,
    "sort=first": True,
    "sort=most&period=90d": True,
    "status=nonsense&period=nonsense&sort=x&view=y&text=%00": True,
}


def test_filters(viewer, group):
    found = {query: "has no card" in shown(viewer, f"/errors?{query}") for query in FILTERS}
    assert found == FILTERS


def test_what_has_not_failed_lately_is_not_there(viewer, group):
    ErrorGroup.objects.update(last_at=timezone.now() - timedelta(days=8))
    text = shown(viewer)
    assert "has no card" not in text
    assert "No unresolved error" in text
    assert "/errors?period=30d" in text


def test_the_matrix_has_a_number_for_each_window(viewer, group):
    text = shown(viewer, "/errors?view=matrix")
    for period in ("1h", "3h", "24h", "3d", "7d"):
        assert f'href="/errors/{group.pk}?period={period}">1</a>' in text


def test_pages_follow_one_another(viewer, monkeypatch):
    monkeypatch.setattr("dashboard.pages.error_rows.SIZE", 2)
    names = [f"{'abcde'[number] * 3} is missing" for number in range(5)]
    for name in names:
        run = failed_run(error(name))
    group_of(run)
    for sort in ("last", "first", "most"):
        walk(viewer, sort, names)


def walk(viewer, sort, names):
    seen, address = [], f"/errors?sort={sort}"
    for _ in range(3):
        response = viewer.get(address)
        seen += [row.group.message for row in response.context["rows"]]
        older = response.context["slice"].older
        address = f"/errors?sort={sort}&cursor={older}"
    assert sorted(seen) == names
    assert not older
    newer = response.context["slice"].newer
    back = viewer.get(f"/errors?sort={sort}&cursor={newer}").context["rows"]
    assert [row.group.message for row in back] == seen[2:4]


def test_a_cursor_of_another_filter_is_the_first_page(viewer, group):
    assert "has no card" in shown(viewer, "/errors?cursor=nonsense")


def test_a_tick_without_news_is_204(viewer, group):
    token = viewer.get("/errors").context["token"]
    unchanged = viewer.get(f"/errors?v={token}", headers={"HX-Request": "true"})
    assert unchanged.status_code == 204
    group_of(failed_run(error("order 9 has no card")))
    changed = shown(viewer, f"/errors?v={token}", **{"HX-Request": "true"})
    assert changed.lstrip().startswith('<div id="board">')


def test_the_navigation_counts_open_errors(viewer, group):
    assert '<b class="count" title="Unresolved">1</b>' in shown(viewer, "/workers")


def test_resolved_ones_are_not_counted(viewer, group):
    errorgroups.resolve(group.pk, actor=ADA)
    assert 'title="Unresolved"' not in shown(viewer, "/workers")


def test_the_short_link_leads_to_the_page(viewer, group):
    response = viewer.get(f"/e/{group.pk}")
    assert (response.status_code, response.url) == (303, f"/errors/{group.pk}")


def test_hostile_texts_are_text(viewer):
    group_of(failed_run(error("<script>alert(1)</script>", name="<b>E</b>"), task_id="<i>t"))
    text = shown(viewer)
    assert "<script>alert" not in text
    assert "&lt;script&gt;" in text
    assert "<i>t" not in text


def test_nobody_sees_it_without_a_login(client):
    assert client.get("/errors").status_code == 302


def test_the_runs_of_an_error(viewer, group):
    other = failed_run(error("something else"))
    text = shown(viewer, f"/runs?error={group.pk}")
    assert group.last_run_id in text
    assert other.pk not in text


def test_flaky_tasks(viewer):
    run = recovered_run()
    group_of(run)
    ended_run()
    text = shown(viewer, "/errors/flaky")
    assert run.pk in text
    assert "50%" in text
    assert "×1" in text


def test_broken_tasks(viewer):
    good = ended_run()
    first = failed_run(version="2")
    last = failed_run(version="2")
    recovered = ended_run(task_id="bill")
    group_of(last)
    text = shown(viewer, "/errors/flaky")
    assert f"/runs/compare?a={good.pk}&amp;b={first.pk}" in text
    assert last.pk in text
    assert recovered.pk not in text
    ended_run()
    assert "No task is broken" in shown(viewer, "/errors/flaky")


def test_no_task_is_flaky(viewer, group):
    assert "Nothing is flaky" in shown(viewer, "/errors/flaky?period=nonsense")
