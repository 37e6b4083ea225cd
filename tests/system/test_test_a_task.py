import pytest
from playwright.sync_api import expect

from runs.models import Run
from tests.support.rows import make_task

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True), pytest.mark.once]


def test_the_editor_points_at_the_mistake_and_then_triggers(person):
    make_task("hello")
    person.goto("/test")
    person.get_by_role("link", name="hello").click()
    editor = person.get_by_role("textbox", name="Payload")
    editor.fill('{\n  "a": 1,\n  oops\n}')
    expect(person.get_by_role("button", name="Line 3, column 3")).to_be_visible()
    person.get_by_role("button", name="Line 3, column 3").click()
    expect(editor).to_be_focused()
    editor.fill('{"a": 1}')
    expect(person.get_by_role("button", name="Line")).to_have_count(0)
    editor.press("Control+Enter")
    person.wait_for_url("**/runs/run_*")
    expect(person.get_by_role("heading", level=1)).to_contain_text("hello")
    assert Run.objects.get().payload == '{"a": 1}'


def test_the_editor_points_at_what_was_typed_before_its_script_came(person):
    make_task("hello")
    held = []
    person.route("**/trackside*.js", lambda route: held.append(route))
    person.goto("/test/hello", wait_until="commit")
    person.get_by_role("textbox", name="Payload").fill("[1,]")
    held[0].continue_()
    expect(person.get_by_role("button", name="Line 1, column 4")).to_be_visible()


def test_without_scripts(person_without_scripts):
    page = person_without_scripts
    make_task("hello")
    page.goto("/test/hello")
    page.get_by_role("textbox", name="Payload").fill("[1,]")
    page.get_by_role("button", name="Trigger").click()
    expect(page.get_by_role("alert")).to_contain_text("line 1")
    page.get_by_role("textbox", name="Payload").fill("[1]")
    page.get_by_role("button", name="Trigger").click()
    expect(page.get_by_text("Triggered hello.")).to_be_visible()
