import re

import pytest

from runs import lifecycle
from runs.errors import InvalidOption, NotFound
from runs.models import AuditLog, SavedView
from tests.dashboard.pages.conftest import client_of
from tests.dashboard.pages.test_run_list import ids
from tests.support.rows import failed_run, make_user, queued_run

pytestmark = pytest.mark.django_db


def said(response):
    return re.findall(r'role="(?:status|alert)">([^<]+)</p>', response.content.decode())


def save(client, name="Mine", query="task=mail&q=dur:>5s", **others):
    return client.post("/views/save", {"name": name, "query": query, **others})


def test_saves_the_list_under_a_name(viewer):
    response = save(viewer)
    row = SavedView.objects.get()
    assert (row.name, row.owner, row.query) == ("Mine", "user:vera", "task=mail&q=dur%3A%3E5s")
    assert response["Location"] == f"/runs?task=mail&q=dur%3A%3E5s&view={row.pk}"
    page = viewer.get(response["Location"])
    assert said(page) == ["Saved as “Mine”."]
    assert '<h1 tabindex="-1">Mine</h1>' in page.text
    assert "Unsaved changes" not in page.text
    assert AuditLog.objects.filter(action="view.save", actor="user:vera").count() == 1


def test_says_when_it_was_changed_and_saves_it_again(viewer):
    row = SavedView.objects.get(pk=int(save(viewer)["Location"].rpartition("=")[2]))
    page = viewer.get(f"/runs?task=mail&period=24h&view={row.pk}")
    assert "Unsaved changes" in page.text
    assert f'href="/runs?task=mail&amp;q=dur%3A%3E5s&amp;view={row.pk}"' in page.text
    assert f"period=3d&amp;view={row.pk}" in page.text
    save(viewer, query=f"task=mail&period=24h&view={row.pk}")
    row.refresh_from_db()
    assert row.query == "task=mail&period=24h"


def test_zones_and_order_are_no_changes(viewer):
    number = save(viewer)["Location"].rpartition("=")[2]
    page = viewer.get(f"/runs?q=dur:>5s%20task:mail&tz=Asia/Tokyo&view={number}")
    assert "Unsaved changes" not in page.text


def test_the_list_may_begin_with_it(viewer):
    queued_run()
    failed = failed_run()
    save(viewer, query="status=FAILED", default="1")
    number = SavedView.objects.get().pk
    response = viewer.get("/runs")
    assert response["Location"] == f"/runs?status=FAILED&view={number}"
    assert ids(viewer.get(response["Location"])) == [failed.id]
    assert len(ids(viewer.get("/runs?view=all"))) == 2
    viewer.post(f"/views/{number}", {"do": "all"})
    assert viewer.get("/runs").status_code == 200


def test_others_see_what_is_shared_alone(viewer, operator):
    save(operator, "Ours", shared="1")
    save(operator, "Secret")
    text = viewer.get("/views").text
    assert "Ours" in text
    assert "Secret" not in text
    ours, secret = SavedView.objects.order_by("name")
    assert viewer.post(f"/views/{ours.pk}", {"do": "delete"}).status_code == 404
    assert viewer.post(f"/views/{secret.pk}", {"do": "begin"}).status_code == 404
    assert viewer.post(f"/views/{ours.pk}", {"do": "begin"}).status_code == 303
    save(viewer, "Theirs", shared="1")
    assert not SavedView.objects.get(name="Theirs").is_shared


def test_renames_and_deletes(viewer):
    save(viewer, "A"), save(viewer, "B")
    first, second = SavedView.objects.order_by("name")
    refused = viewer.post(f"/views/{second.pk}", {"do": "change", "name": "A"})
    assert refused.status_code == 422
    assert "There is another view “A”." in refused.text
    viewer.post(f"/views/{second.pk}", {"do": "change", "name": " C  d "})
    assert SavedView.objects.get(pk=second.pk).name == "C d"
    viewer.post(f"/views/{first.pk}", {"do": "delete"})
    assert [row.name for row in SavedView.objects.all()] == ["C d"]
    assert viewer.get(f"/runs?task=mail&view={first.pk}").status_code == 200


def test_an_administrator_tidies_up(operator, db):
    save(operator, "Old", shared="1")
    administrator = client_of(make_user("ada", "change_queue"))
    row = SavedView.objects.get()
    assert administrator.post(f"/views/{row.pk}", {"do": "delete"}).status_code == 303
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\x00b", "a\x07b"])
def test_refuses_a_name_that_is_none(viewer, name):
    assert "A view's name has" in viewer.get(save(viewer, name)["Location"]).text.replace(
        "&#x27;", "'"
    )
    assert not SavedView.objects.exists()


def test_system_views_are_in_the_navigation(viewer):
    text = viewer.get("/").text
    assert "view=failed" in text
    assert viewer.get("/runs?status=WAITING&period=all&view=waiting").context["is_changed"] is False


def test_the_lifecycle_knows_whose_it_is():
    row = lifecycle.save_view("x", "", owner="user:a")
    with pytest.raises(NotFound):
        lifecycle.delete_view(row.pk, actor="user:b")
    with pytest.raises(InvalidOption):
        lifecycle.save_view("y", "q" * 5000, owner="user:a")
