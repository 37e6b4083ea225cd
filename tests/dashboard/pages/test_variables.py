"""Environment variables: list, add, edit, delete, import."""

import html

import pytest

from runs.lifecycle import envvars
from runs.models import AuditLog, EnvVar

pytestmark = pytest.mark.django_db


def put(secret=False, **values):
    envvars.put(values, actor="user:ada", secret=secret)


def values():
    return envvars.loaded().values


def text(response):
    return html.unescape(response.content.decode())


def test_lists_them_with_values_for_administrators(administrator, few_reads):
    put(SHOP_NAME="Corner <b>shop</b>", EMPTY="", LONG="x" * 3000)
    put(SHOP_KEY="hush", secret=True)
    with few_reads(6):
        answer = administrator.get("/variables")
    page = answer.content.decode()
    assert "no-store" in answer["cache-control"]
    assert "Corner &lt;b&gt;shop&lt;/b&gt;" in page
    assert "x" * 2000 + "…" in page
    assert "x" * 2001 not in page
    assert "Secret, never shown" in page
    assert "by ada" in page
    assert "hush" not in page


def test_others_see_names_and_no_values(viewer):
    put(SHOP_NAME="Corner shop")
    page = text(viewer.get("/variables"))
    assert ("SHOP_NAME" in page, "Corner shop" in page) == (True, False)
    assert "Add a variable" not in page
    page = text(viewer.get("/variables/SHOP_NAME/edit"))
    assert ("Can change queue" in page, "Corner shop" in page) == (True, False)


def test_says_what_to_do_where_there_is_none(administrator, viewer):
    assert 'href="/variables/new"' in text(administrator.get("/variables"))
    assert "An administrator adds one" in text(viewer.get("/variables"))


def test_adds_one(administrator):
    assert administrator.get("/variables/new").status_code == 200
    sent = {"name": "SHOP_KEY", "value": " two\r\nlines ", "secret": "on"}
    answer = administrator.post("/variables/new", sent)
    assert (answer.status_code, answer["location"]) == (303, "/variables")
    assert values() == {"SHOP_KEY": " two\nlines "}
    row = EnvVar.objects.get()
    assert (row.is_secret, row.updated_by) == (True, "user:ada")
    assert "Set 1 variable." in text(administrator.get("/variables"))


@pytest.mark.parametrize(
    ("sent", "problem"),
    [
        ({"name": "A B", "value": "1"}, "letters, digits and underscores"),
        ({"name": "DATABASE_URL", "value": "1"}, "is reserved"),
        ({"name": "OLD", "value": "2"}, "These are set already: OLD"),
        ({"name": "", "value": "1"}, "This field is required"),
        ({"name": "A", "value": "x" * 65_537}, "the limit is 65,536"),
        ({"name": "A", "value": "a\x00b"}, "Null characters are not allowed"),
    ],
)
def test_refuses_at_the_field(administrator, sent, problem):
    put(OLD="1")
    answer = administrator.post("/variables/new", sent)
    assert (answer.status_code, values()) == (422, {"OLD": "1"})
    assert problem in text(answer)


def test_edits_one(administrator):
    put(A="old & known")
    assert "old & known" in text(administrator.get("/variables/A/edit"))
    assert administrator.post("/variables/A/edit", {"value": "new"}).status_code == 303
    assert values() == {"A": "new"}
    administrator.post("/variables/A/edit", {"value": "", "secret": "on"})
    assert (values(), EnvVar.objects.get().is_secret) == ({"A": ""}, True)


def test_a_secret_is_typed_anew(administrator):
    put(A="hush", secret=True)
    page = text(administrator.get("/variables/A/edit"))
    assert ("never shown" in page, "hush" in page, 'name="secret"' in page) == (True, False, False)
    answer = administrator.post("/variables/A/edit", {"value": ""})
    assert (answer.status_code, values()) == (422, {"A": "hush"})
    assert "The stored one stays as it is" in text(answer)
    administrator.post("/variables/A/edit", {"value": "new"})
    assert (values(), EnvVar.objects.get().is_secret) == ({"A": "new"}, True)


def test_deletes_one(administrator):
    put(A="1")
    assert "Delete the variable" in text(administrator.get("/variables/A/delete"))
    assert administrator.post("/variables/A/delete").status_code == 303
    assert values() == {}
    assert AuditLog.objects.first().action == "envvar.delete"
    for path in ("/variables/A/delete", "/variables/A/edit", "/variables/%00/edit"):
        assert administrator.get(path).status_code == 404


def test_imports_a_file(administrator):
    put(A="0")
    assert administrator.get("/variables/import").status_code == 200
    sent = {"variables": '# all\r\nA=1\r\nexport B="two\r\nlines"\r\n'}
    refused = administrator.post("/variables/import", sent)
    assert (refused.status_code, values()) == (422, {"A": "0"})
    assert "These are set already: A" in text(refused)
    answer = administrator.post("/variables/import", {**sent, "override": "on", "secret": "on"})
    assert (answer.status_code, values()) == (303, {"A": "1", "B": "two\nlines"})
    assert EnvVar.objects.filter(is_secret=True).count() == 2
    again = administrator.post("/variables/import", {**sent, "override": "on"}, follow=True)
    assert "Nothing differs" in text(again)


@pytest.mark.parametrize(
    ("sent", "problem"),
    [("A=1\nB", "Line 2 is not NAME=value"), ("", "required"), ("A=1\nTZ=UTC", "TZ is reserved")],
)
def test_refuses_a_file_as_a_whole(administrator, sent, problem):
    answer = administrator.post("/variables/import", {"variables": sent})
    assert (answer.status_code, values()) == (422, {})
    assert problem in text(answer)


def test_only_administrators_change_them(operator, viewer):
    put(A="1")
    for person in (operator, viewer):
        for path in ("new", "import", "A/edit", "A/delete"):
            assert person.get(f"/variables/{path}").status_code == 200
            assert person.post(f"/variables/{path}", {"value": "2"}).status_code == 403
    assert values() == {"A": "1"}


def test_says_which_cannot_be_read(administrator, settings):
    put(A="1")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another" * 10, [settings.SECRET_KEY]
    assert "Cannot be read" not in text(administrator.get("/variables"))
    stored = EnvVar.objects.get()
    stored.value = stored.value[:-4]
    stored.save()
    assert "Cannot be read" in text(administrator.get("/variables"))
    assert administrator.get("/variables/A/edit").status_code == 200
