import pytest

from runs import conf
from runs.lifecycle import envvars
from runs.models import AuditLog, EnvVar

pytestmark = pytest.mark.django_db
PATH = "/api/v1/projects/proj_1/envvars/dev"
DONE = {"success": True}


def values():
    return envvars.loaded().values


def test_creates_lists_and_retrieves(api):
    assert api.post(PATH, {"name": "B", "value": "2"}).json() == DONE
    assert api.post(PATH, {"name": "A", "value": "hush", "isSecret": True}).json() == DONE
    assert api.get(PATH).json() == [
        {"name": "A", "value": "<redacted>", "isSecret": True},
        {"name": "B", "value": "2", "isSecret": False},
    ]
    assert api.get(f"{PATH}/A").json() == {"name": "A", "value": "<redacted>", "isSecret": True}
    assert api.get(f"{PATH}/B").json()["value"] == "2"
    assert values() == {"A": "hush", "B": "2"}
    assert EnvVar.objects.get(name="B").updated_by == "key:tests"


def test_creating_it_again_replaces_it(api):
    for value in ("1", "2"):
        assert api.post(PATH, {"name": "A", "value": value}).json() == DONE
    assert values() == {"A": "2"}


def test_updates_and_deletes(api):
    envvars.put({"A": "1"}, actor="user:ada", secret=True)
    assert api.put(f"{PATH}/A", {"value": "2"}).json() == DONE
    assert (values(), api.get(f"{PATH}/A").json()["isSecret"]) == ({"A": "2"}, True)
    assert api.delete(f"{PATH}/A").json() == DONE
    for answer in (
        api.get(f"{PATH}/A"), api.put(f"{PATH}/A", {"value": "3"}), api.delete(f"{PATH}/A")
    ):  # fmt: skip
        assert (answer.status_code, answer["x-should-retry"]) == (404, "false")


def test_imports_all_or_none(api):
    asked = {"variables": {"A": "1", "B": "2"}, "secrets": {"B": True}, "source": {"type": "x"}}
    assert api.post(f"{PATH}/import", asked).json() == DONE
    assert [one["isSecret"] for one in api.get(PATH).json()] == [False, True]
    refused = api.post(f"{PATH}/import", {"variables": {"A": "9", "C": "9"}})
    assert (refused.status_code, refused.json()["error"][:23]) == (400, "These are set already: ")
    refused = api.post(f"{PATH}/import", {"variables": {"C": "9", "bad name": "9"}})
    assert (refused.status_code, values()) == (400, {"A": "1", "B": "2"})
    asked = {"variables": {"A": "9"}, "override": True, "isSecret": True}
    assert api.post(f"{PATH}/import", asked).json() == DONE
    assert values() == {"A": "9", "B": "2"}


def test_a_variable_may_be_called_import(api):
    assert api.post(PATH, {"name": "import", "value": "1"}).json() == DONE
    assert api.get(f"{PATH}/import").json()["value"] == "1"
    assert api.delete(f"{PATH}/import").json() == DONE


@pytest.mark.parametrize(
    ("slug", "kind", "name", "status"),
    [
        ("dev", "dev", "Development", 200),
        ("Development", "dev", "Development", 200),
        ("eu-west-2", "prod", "EU West 2", 200),
        ("stg", "staging", "x", 200),
        ("staging", "staging", "x", 200),
        ("production", "prod", "", 200),
        ("prod", "dev", "Development", 404),
        ("preview", "dev", "Development", 404),
        ("%00", "dev", "Development", 404),
    ],
)
def test_answers_to_its_own_environment_alone(api, settings, slug, kind, name, status):
    settings.TRACKSIDE = {**settings.TRACKSIDE, "ENVIRONMENT": {"name": name, "kind": kind}}
    path = f"/api/v1/projects/proj_1/envvars/{slug}"
    asked = [
        api.get(path),
        api.post(path, {"name": "A", "value": "1"}),
        api.post(f"{path}/import", {"variables": {}}),
        api.get(f"{path}/A"),
        api.put(f"{path}/A", {"value": "1"}),
        api.delete(f"{path}/A"),
    ]
    assert {answer.status_code for answer in asked} == {status}


def test_answers_to_its_own_project_where_that_is_named(api, monkeypatch):
    monkeypatch.setenv("TRACKSIDE_PROJECT", "proj_1")
    conf.forget()
    assert api.get(PATH).status_code == 200
    other = api.get("/api/v1/projects/proj_2/envvars/dev")
    assert (other.status_code, "proj_2" in other.json()["error"]) == (404, True)
    monkeypatch.undo()
    conf.forget()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"[]", b"{", {}, {"name": "A"}, {"value": "1"}, {"name": "A", "value": 1},
        {"name": "A", "value": None}, {"name": "A B", "value": "1"}, {"name": "", "value": "1"},
        {"name": "A", "value": "1", "color": "red"}, {"name": "A", "value": "x" * 65_537},
        {"name": "DATABASE_URL", "value": "1"}, {"name": "A", "value": "\x00"},
        {"name": "A", "value": "\ud800"}, {"name": "A", "value": "1", "isSecret": "yes"},
        {"name": "A\x00", "value": "1"}, {"name": ["A"], "value": "1"},
    ],
)  # fmt: skip
def test_refuses_odd_variables(api, body):
    answer = api.post(PATH, body)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    assert not EnvVar.objects.exists()
    assert not AuditLog.objects.filter(action__startswith="envvar").exists()


@pytest.mark.parametrize(
    "body",
    [
        b"", {}, {"variables": []}, {"variables": {"A": 1}}, {"variables": {"A": None}},
        {"variables": {"": "1"}}, {"variables": {"A": "1"}, "override": "yes"},
        {"variables": {f"V{n}": "1" for n in range(501)}},
        {"variables": {f"V{n}": "x" * 60_000 for n in range(10)}},
    ],
)  # fmt: skip
def test_refuses_odd_imports(api, body):
    assert api.post(f"{PATH}/import", body).status_code == 400
    assert not EnvVar.objects.exists()


@pytest.mark.parametrize("name", ["%00", "a%2Fb", "A%20B", "x" * 500, "%F0%9F%98%80", ".."])
def test_an_unknown_name_is_a_404(api, name):
    assert api.get(f"{PATH}/{name}").status_code == 404


def test_what_another_key_encrypted_says_so(api, settings):
    api.post(PATH, {"name": "A", "value": "1"})
    settings.SECRET_KEY = "another" * 10
    assert api.get(f"{PATH}/A").json()["value"] == "<unreadable>"


def test_needs_a_key_and_its_methods(api, client):
    assert client.get(PATH).status_code == 401
    assert client.delete(f"{PATH}/A").status_code == 401
    assert (api.send("PATCH", PATH).status_code, api.post(f"{PATH}/A").status_code) == (405, 405)
