import pytest
from playwright.sync_api import expect

from runs.lifecycle.counting import count_failures
from runs.models import BulkAction, ErrorGroup, Run
from tests.support.rows import failed_run, queued_run

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True), pytest.mark.once]


def test_filters_stand_in_the_address_and_the_box(person):
    failed, queued = failed_run(), queued_run()
    person.goto("/runs")
    person.locator("summary", has_text="Filters").click()
    person.get_by_role("checkbox", name="Failed", exact=True).check()
    person.locator("#filters").get_by_role("button", name="Apply").click()
    expect(person.locator(f"#{queued.id}")).to_have_count(0)
    expect(person.locator(f"#{failed.id}")).to_be_visible()
    assert person.url.endswith("/runs?status=FAILED")
    expect(person.get_by_role("combobox", name="Search runs")).to_have_value("status:failed")
    person.get_by_role("link", name="Clear").click()
    expect(person.locator(f"#{queued.id}")).to_be_visible()


def test_the_box_suggests_and_finds(person):
    queued_run("other")
    wanted = queued_run("send-mail")
    person.goto("/runs")
    person.keyboard.press("f")
    person.keyboard.type("tas")
    expect(person.get_by_role("option", name="task:")).to_be_visible()
    person.keyboard.press("ArrowDown")
    person.keyboard.press("Enter")
    person.keyboard.type("mail")
    expect(person.get_by_role("option", name="send-mail")).to_be_visible()
    person.keyboard.press("ArrowDown")
    person.keyboard.press("Enter")
    expect(person.get_by_role("combobox", name="Search runs")).to_have_value("task:send-mail ")
    person.keyboard.press("Enter")
    expect(person.locator("[data-row]")).to_have_count(1)
    expect(person.locator(f"#{wanted.id}")).to_be_visible()


HELD = """() => {
  const read = Response.prototype.json;
  Response.prototype.json = async function () {
    Response.prototype.json = read;
    document.body.dataset.held = "";
    await new Promise((go) => { window.letGo = go; });
    return read.call(this);
  };
}"""


def test_suggestions_read_after_more_was_typed_are_not_shown(person):
    person.goto("/runs")
    person.evaluate(HELD)
    person.keyboard.press("f")
    expect(person.locator("body[data-held]")).to_be_visible()
    person.keyboard.type("tas")
    expect(person.get_by_role("option", name="task:")).to_be_visible()
    shown = person.get_by_role("option").count()
    person.evaluate("() => { letGo(); return new Promise((done) => setTimeout(done, 50)); }")
    expect(person.get_by_role("option")).to_have_count(shown)


def test_what_is_shown_short_is_copied_whole(person):
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    run = failed_run()
    count_failures()
    person.goto("/runs")
    person.keyboard.press("j")
    person.keyboard.press("y")
    expect(person.locator("#say")).to_have_text("Copied")
    assert person.evaluate("navigator.clipboard.readText()") == run.id
    group = ErrorGroup.objects.get()
    person.goto(f"/errors/{group.pk}")
    person.keyboard.press("y")
    expect(person.locator("#say")).to_have_text("Copied")
    assert person.evaluate("navigator.clipboard.readText()") == f"error_{group.pk}"


def test_by_keyboard_alone_to_a_replay(person):
    failed_run()
    person.goto("/")
    person.keyboard.press("g")
    person.keyboard.press("r")
    person.wait_for_url("**/runs")
    person.keyboard.press("j")
    person.keyboard.press("r")
    person.wait_for_url("**/replay")
    person.get_by_role("textbox", name="Payload").press("Control+Enter")
    expect(person.get_by_text("as this run.")).to_be_visible()
    assert Run.objects.count() == 2


def test_cancel_without_scripts(person_without_scripts):
    page = person_without_scripts
    run = queued_run()
    page.goto("/runs?status=QUEUED")
    page.get_by_role("button", name="Cancel run_").click()
    expect(page.get_by_text("is canceled in 8 s.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("its cancel was undone")).to_be_visible()
    assert Run.objects.get(pk=run.pk).status == "QUEUED"
    page.goto(f"/runs/{run.id}/cancel")
    page.get_by_label("Reason").fill("not needed")
    page.get_by_role("button", name="Cancel the run").click()
    page.get_by_role("button", name="Cancel now").click()
    expect(page.locator("#run-head .status")).to_have_text("Canceled")
    expect(page.locator("#why")).to_contain_text("not needed")
    assert Run.objects.get(pk=run.pk).status == "CANCELED"


def test_selects_a_range_by_keyboard_and_cancels_it(person):
    runs = [queued_run() for _ in range(5)][::-1]
    person.goto("/runs?status=QUEUED")
    for key in ("j", "j", "x", "j", "j", "Shift+X"):
        person.keyboard.press(key)
    expect(person.locator("#picked")).to_contain_text("3 selected")
    expect(person.locator("#live-dot")).to_contain_text("Paused: 3 selected")
    person.keyboard.press("c")
    person.get_by_role("button", name="Cancel 3 runs").click()
    expect(person.get_by_text("Cancel 3 runs: it begins in 8 s.")).to_be_visible()
    assert BulkAction.objects.get().chosen == {"runs": sorted(run.id for run in runs[1:4])}


def test_selects_by_mouse_and_drops_the_selection(person):
    for _ in range(4):
        failed_run()
    person.goto("/runs")
    boxes = person.locator(".pick input")
    boxes.nth(0).click()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(person.locator(".pick input:checked")).to_have_count(3)
    person.get_by_role("checkbox", name="Select page").click()
    expect(person.locator(".pick input:checked")).to_have_count(4)
    person.keyboard.press("Escape")
    expect(person.locator(".pick input:checked")).to_have_count(0)
    expect(person.get_by_role("button", name="Replay selected")).to_be_disabled()
    boxes.nth(1).press("Enter")
    person.wait_for_url("**/runs/run_*")


def test_replays_a_selection_without_scripts(person_without_scripts):
    page = person_without_scripts
    run = failed_run()
    page.goto("/runs?status=FAILED")
    page.get_by_role("checkbox", name="Select run_").check()
    page.get_by_role("button", name="Replay selected").click()
    page.get_by_role("button", name="Replay 1 run").click()
    expect(page.get_by_text("Replay 1 run: it begins in 8 s.")).to_be_visible()
    assert BulkAction.objects.get().chosen == {"runs": [run.id]}


def test_pause_a_queue_without_scripts(person_without_scripts):
    page = person_without_scripts
    run = queued_run()
    page.goto(f"/queues/{run.queue}")
    page.get_by_label("Reason").first.fill("new disk")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("p.note", has_text="Paused by olga")).to_be_visible()
    page.goto(f"/runs/{run.id}")
    expect(page.locator("#why")).to_contain_text("is paused by olga: new disk")


def test_by_keyboard_through_palette_menu_and_view(person):
    failed_run("charge")
    wanted = failed_run("mail")
    person.goto("/")
    person.keyboard.press("Control+k")
    person.get_by_role("combobox", name="Jump to").fill("mai")
    expect(person.get_by_role("option", name="Runs of mail Task")).to_be_visible()
    person.keyboard.press("Enter")
    person.wait_for_url("**/runs?task=mail")
    person.keyboard.press("v")
    person.get_by_label("Name").fill("Mails")
    person.keyboard.press("Enter")
    expect(person.get_by_role("heading", name="Mails")).to_be_visible()
    person.keyboard.press("j")
    person.keyboard.press(".")
    expect(person.get_by_role("menuitem", name="Open", exact=True)).to_be_focused()
    expect(person.locator("#live-dot")).to_contain_text("Paused: menu open")
    person.keyboard.press("Escape")
    expect(person.get_by_role("button", name="More for run_")).to_be_focused()
    person.locator("tbody time").first.click()
    expect(person.get_by_role("dialog", name="This time elsewhere")).to_contain_text("UTC")
    person.keyboard.press("Escape")
    person.keyboard.press("o")
    person.wait_for_url(f"**/runs/{wanted.id}")


def test_new_runs_wait_behind_a_pill(person):
    failed_run()
    person.goto("/runs")
    new = queued_run()
    person.get_by_role("link", name="1 new run").click()
    expect(person.locator(f"#{new.id}")).to_be_visible()
    expect(person.locator("#results caption")).to_be_focused()
