"""The document says what the code does, and is OpenAPI."""

import json

import jsonschema_rs
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.urls import path
from schemathesis.specs.openapi import definitions

from dashboard.api import urls
from dashboard.api.endpoint import endpoint, methods
from dashboard.api.schemas import Body
from dashboard.openapi import document, routes, served, undocumented
from dashboard.realtime import urls as realtime
from runs.lifecycle import apikeys

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@pytest.fixture(scope="module")
def whole():
    return served.whole()


def made(*patterns):
    return document(routes(patterns))


def test_every_endpoint_is_documented():
    assert not undocumented(urls.urlpatterns)
    assert not undocumented(realtime.urlpatterns)


@endpoint("GET", answers=dict[str, int])
def nameless(request):
    return {}


@endpoint("GET")
def unsaid(request):
    """It answers something."""
    return {}


def plain(request):
    """No endpoint at all."""


@pytest.mark.parametrize("silent", [nameless, unsaid, plain])
def test_an_endpoint_without_documentation_is_refused(silent):
    assert len(undocumented([path("api/v1/thing", silent)])) == 1


def test_is_valid_openapi(whole):
    assert not list(jsonschema_rs.Draft202012Validator(definitions.OPENAPI_31).iter_errors(whole))
    for schema in whole["components"]["schemas"].values():
        assert jsonschema_rs.meta.is_valid({**schema, "$schema": DIALECT})


def test_what_is_not_openapi_is_found(whole):
    broken = {**whole, "paths": {"no-slash": {}}}
    assert list(jsonschema_rs.Draft202012Validator(definitions.OPENAPI_31).iter_errors(broken))


def test_every_reference_leads_somewhere(whole):
    text = json.dumps(whole)
    for name in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in whole["components"]["schemas"]
    assert "x-shape" not in text


def test_no_name_betrays_a_module(whole):
    assert not [name for name in whole["components"]["schemas"] if "__" in name]


def test_operations_have_names_of_their_own(whole):
    names = [one["operationId"] for paths in whole["paths"].values() for one in paths.values()]
    assert len(names) == len(set(names))


class Wish(Body):
    """What is wished for."""

    how_many: int


@endpoint("POST", status=201, body=Wish | None, query={"filter[a]": int}, answers={
    201: dict[str, int], 410: "It is gone."})  # fmt: skip
def wish(request, wish_id):
    """Wish for something.

    At length.
    """


def test_tells_what_an_endpoint_says():
    whole = made(path("api/v1/wishes/<str:wish_id>", wish, name="wish"))
    told = whole["paths"]["/api/v1/wishes/{wish_id}"]["post"]
    assert (told["summary"], told["description"]) == (
        "Wish for something.",
        "At length.\n\nFor keys with the role operator or admin.",
    )
    assert told["tags"] == ["Wishes"]
    assert told["requestBody"]["required"] is False
    assert whole["components"]["schemas"]["Wish"]["required"] == ["howMany"]
    assert [one["name"] for one in told["parameters"]][:2] == ["wish_id", "filter[a]"]
    assert {"201", "401", "404", "410", "422"} <= told["responses"].keys()
    assert told["security"] == [{"key": []}]


def test_tells_several_methods_of_one_address():
    view = methods(POST=wish, GET=unsaid)
    whole = made(path("api/v1/wishes/<str:wish_id>", view, name="wishes"))
    [found] = whole["paths"].values()
    assert {method: one["operationId"] for method, one in found.items()} == {
        "post": "wishes_post",
        "get": "wishes_get",
    }


def test_a_method_nobody_answers_names_the_others(rf):
    answer = methods(POST=wish, GET=unsaid)(rf.delete("/"))
    assert (answer.status_code, answer["allow"]) == (405, "POST, GET")


def test_a_second_address_points_at_the_first(whole):
    told = whole["paths"]["/api/v1/runs/{run_id}"]["get"]
    assert told["description"].startswith("The same as `GET /api/v3/runs/{run_id}`.")


def test_what_may_be_absent_is_not_null(whole):
    run = whole["components"]["schemas"]["Run"]
    assert "startedAt" not in run["required"]
    assert run["properties"]["startedAt"] == {"format": "date-time", "type": "string"}


def test_is_served_to_everybody_while_developing(client, db):
    answer = client.get("/api/v1/openapi.json")
    assert answer.json()["openapi"] == "3.1.0"
    assert answer["content-type"] == "application/json"


def test_is_kept_from_strangers_elsewhere(client, admin_client, settings):
    bearer = f"Bearer {apikeys.create('tests', actor='cli:tests')[1]}"
    settings.TRACKSIDE = {**settings.TRACKSIDE, "ENVIRONMENT": {"name": "P", "kind": "prod"}}
    assert client.get("/api/v1/openapi.json").status_code == 401
    keyed = client.get("/api/v1/openapi.json", headers={"authorization": bearer})
    assert keyed.status_code == 200
    assert admin_client.get("/api/v1/openapi.json").status_code == 200


@override_settings(ROOT_URLCONF="tests.dashboard.openapi.below")
def test_names_the_address_it_is_mounted_below(client, db):
    answer = client.get("/ops/api/v1/openapi.json")
    assert answer.json()["servers"] == [{"url": "/ops"}]


def test_the_command_writes_it(tmp_path, capsys):
    call_command("openapi")
    printed = json.loads(capsys.readouterr().out)
    call_command("openapi", output=tmp_path / "document.json")
    assert json.loads((tmp_path / "document.json").read_text()) == printed == served.whole()


def test_the_command_says_what_it_cannot_write(tmp_path):
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("openapi", output=tmp_path)
