import re
from datetime import timedelta

import pytest
from django.utils import timezone

from runs.lifecycle import apikeys
from runs.models import ApiKey, AuditLog

pytestmark = pytest.mark.django_db

PATH = "/settings/keys"


def text_in(response):
    return re.search(r'id="made-key">([^<]+)<', response.content.decode())[1]


def test_says_so_where_there_is_none(administrator):
    page = administrator.get(PATH).content.decode()
    assert "No key yet" in page
    assert "<table" not in page


def test_a_new_key_is_shown_once(administrator):
    fields = {"name": "back<b>end", "role": "operator", "days": "30"}
    response = administrator.post(PATH, fields)
    text = text_in(response)
    key = apikeys.verify(text)
    assert (key.name, key.role, key.created_by) == ("back<b>end", "operator", "user:ada")
    assert timedelta(29) < key.expires_at - timezone.now() <= timedelta(30)
    assert "no-store" in response["Cache-Control"]
    assert "back&lt;b&gt;end" in response.content.decode()
    assert text not in administrator.get(PATH).content.decode()
    assert AuditLog.objects.get().actor == "user:ada"


def test_sending_the_form_again_makes_no_second_key(administrator):
    fields = {"name": "backend", "role": "admin", "days": ""}
    administrator.post(PATH, fields)
    again = administrator.post(PATH, fields)
    assert again.status_code == 422
    assert "already" in again.content.decode()
    assert ApiKey.objects.get().expires_at is None


@pytest.mark.parametrize(
    "fields",
    [{}, {"name": ""}, {"name": "a", "role": "root"}, {"name": "a\x00", "role": "admin"}, {"name": "\x1b", "role": "admin"},
     {"name": "x" * 101, "role": "admin"}, {"name": "a", "role": "admin", "days": "99999999999"}],
)  # fmt: skip
def test_refuses_what_makes_no_key(administrator, fields):
    response = administrator.post(PATH, fields)
    assert response.status_code == 422
    assert 'class="error"' in response.content.decode()
    assert not ApiKey.objects.exists()


def test_revokes_after_asking(administrator):
    key, text = apikeys.create("backend", actor="x")
    path = f"{PATH}/{key.pk}/revoke"
    assert path in administrator.get(PATH).content.decode()
    assert "cannot be undone" in administrator.get(path).content.decode()
    assert apikeys.verify(text) is not None
    response = administrator.post(path)
    assert (response.status_code, response["Location"]) == (303, PATH)
    assert apikeys.verify(text) is None
    page = administrator.get(PATH).content.decode()
    assert "Revoked" in page
    assert path not in page
    assert AuditLog.objects.get(action="apikey.revoke").actor == "user:ada"


def test_a_successor_of_the_same_name_is_left_alone(administrator):
    old, _ = apikeys.create("backend", actor="x")
    apikeys.revoke("backend", actor="x")
    _, text = apikeys.create("backend", actor="x")
    administrator.post(f"{PATH}/{old.pk}/revoke")
    assert apikeys.verify(text) is not None


@pytest.mark.parametrize("number", ["0", "999999", "9" * 30, "-1", "a"])
def test_a_key_there_is_not(administrator, number):
    assert administrator.get(f"{PATH}/{number}/revoke").status_code == 404
    assert administrator.post(f"{PATH}/{number}/revoke").status_code == 404


def test_only_administrators_see_keys(operator, client):
    key, text = apikeys.create("backend", actor="x")
    for path in (PATH, f"{PATH}/{key.pk}/revoke"):
        assert operator.get(path).status_code == 403
        assert operator.post(path, {"name": "b", "role": "admin"}).status_code == 403
        assert client.get(path).status_code == 302
    assert apikeys.verify(text) is not None
    assert PATH not in operator.get("/runs").content.decode().partition("bindings")[0]


def test_says_how_each_stands(administrator, settings):
    now = timezone.now()
    apikeys.create("old", actor="x", expires_at=now - timedelta(1))
    apikeys.create("soon", actor="x", expires_at=now + timedelta(1))
    apikeys.create("used", actor="cli:bob", role="viewer")
    page = administrator.get(PATH).content.decode()
    assert [word for word in ("Expired", "Ends soon", "Active", "Viewer") if word not in page] == []
    assert "SECRET_KEY" not in page
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another secret key of this deployment, long enough"
    assert "public tokens work again" not in administrator.get(PATH).content.decode()


def test_a_changed_secret_key_is_told(administrator, monkeypatch):
    apikeys.create("backend", actor="x")
    ApiKey.objects.update(secret="gAAAA-of-another-key")
    assert "SECRET_KEY changed" in administrator.get(PATH).content.decode()


def test_a_key_may_be_for_some_tasks(administrator):
    fields = {"name": "shop", "role": "trigger", "tasks": " send-email \n\ncharge", "days": ""}
    page = administrator.post(PATH, fields).content.decode()
    assert ApiKey.objects.get().task_list == ["send-email", "charge"]
    assert '<span class="sub mono">charge</span>' in page
    for tasks, role in (("a", "admin"), ("\x1b", "viewer"), ("\n".join("abcdefghijk"), "viewer")):
        refused = administrator.post(PATH, {"name": "b", "role": role, "tasks": tasks})
        assert refused.status_code == 422
    assert ApiKey.objects.count() == 1
