"""Schedules: list, page, form, switch and delete."""

import json
from datetime import UTC, datetime

import pytest

from runs import lifecycle
from runs.lifecycle import definitions, schedules
from runs.lifecycle.schedules import Timetable
from runs.models import AuditLog, Run, Schedule, ScheduleTick, Task
from tests.support.rows import completed_run, make_task, queued_run
from tests.support.schedules import fire_all, schedule

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
FIELDS = {
    "task_id": "report", "cron": "30 2 * * *", "timezone": "Europe/Berlin", "overlap": "skip",
    "catch_up": "latest", "external_id": "user_1", "deduplication_key": "user_1-report",
}  # fmt: skip


def declared(**facts):
    make_task("report")
    wanted = Timetable(task_id="report", **{"cron": "0 5 * * *"} | facts)
    schedules.declare({"report": wanted}, ["report"])
    return Schedule.objects.get()


def text(response):
    return response.content.decode()


# -- list -----------------------------------------------------------------------------------------


def test_lists_what_fires_when_and_how_it_went(viewer, clock):
    schedule("0 10 * * *", external_id="<b>user</b>", timezone="UTC")
    off = schedule("0 11 * * *", timezone="Asia/Tokyo", window="20m")
    schedules.deactivate(off.pk, actor="user:ada")
    clock("10:00:00")
    fire_all()
    page = text(viewer.get("/schedules"))
    for words in ("At 10:00 every day", "At 11:00 every day, Asia/Tokyo time", "Off", "Ad hoc",
                  "&lt;b&gt;user&lt;/b&gt;", "Queued", "Never"):  # fmt: skip
        assert words in page
    assert page.index("At 10:00") < page.index("At 11:00")
    assert '<td data-label="Window">20m</td>' in page


def test_says_why_a_schedule_cannot_run(viewer, clock):
    schedule()
    Task.objects.update(broken=True)
    clock("10:00:00")
    fire_all()
    page = text(viewer.get("/schedules"))
    assert "Broken task" in page
    assert "Missed" in page
    Task.objects.update(broken=False, active=False)
    assert "No task" in text(viewer.get("/schedules"))
    Task.objects.all().delete()
    assert viewer.get("/schedules").status_code == 200


def test_an_empty_list_says_how_to_begin(viewer, administrator):
    assert "daily-report" in text(viewer.get("/schedules"))
    assert "/schedules/new" not in text(viewer.get("/schedules"))
    assert "/schedules/new" in text(administrator.get("/schedules"))


def test_finds_by_task_and_ids(viewer):
    one, other = schedule(external_id="Alpha"), schedule(task_id="clean", key="beta-1")
    for search, found in (("alpha", one), ("BETA", other), ("clea", other), (one.pk, one)):
        page = text(viewer.get("/schedules", {"q": search}))
        assert [row.pk in page for row in (one, other)] == [found is one, found is other]
    assert "No schedule has" in text(viewer.get("/schedules", {"q": "zzz"}))
    assert viewer.get("/schedules", {"q": "a\x00b", "page": "x"}).status_code == 200


def test_pages_through_many(viewer, few_reads):
    for number in range(55):
        schedule(external_id=f"user-{number:02}")
    with few_reads(8):
        first = text(viewer.get("/schedules"))
    second = text(viewer.get("/schedules", {"page": "2"}))
    assert (first.count("user-"), second.count("user-")) == (50, 5)
    assert "Later" in first
    assert "Earlier" in second


def test_an_unchanged_list_is_not_sent_again(viewer, clock):
    made = schedule()
    headers = {"HX-Request": "true"}
    for path, part in (("/schedules", b"<table"), (f"/schedules/{made.pk}", b"Next fires")):
        token = viewer.get(path).context["token"]
        assert viewer.get(path, {"v": token}, headers=headers).status_code == 204
        schedules.update(
            made.pk, Timetable(task_id="report", cron=f"{len(path)} * * * *"), actor="t"
        )
        answer = viewer.get(path, {"v": token}, headers=headers)
        assert part in answer.content
        assert b"<html" not in answer.content


# -- one schedule ---------------------------------------------------------------------------------


def test_shows_next_and_recent_fires(viewer, clock):
    made = schedule("0 * * * *", timezone="Asia/Kolkata", overlap="skip", catch_up="latest")
    clock("09:30:00")
    fire_all()
    clock("14:45:00")
    fire_all()
    page = text(viewer.get(f"/schedules/{made.pk}"))
    run = Run.objects.order_by("id").first()
    assert "Tue 1 Jan, 21:00" in page
    assert "15:30" in page
    assert f"/runs/{run.pk}" in page
    for words in ("<b>4 times</b>", "No cluster was running.", "was still open", "Skip: the fire"):
        assert words in page


def test_shows_what_the_clocks_do_to_it(viewer):
    made = schedule("30 2 * * *", timezone="Europe/Berlin")
    assert "The clocks skip 31 March 2030" in text(viewer.get(f"/schedules/{made.pk}"))


def test_a_fire_that_waits_is_shown(viewer, clock):
    made = schedule("0 * * * *", overlap="queue_one")
    for time in ("10:00:00", "11:00:00"):
        clock(time)
        fire_all()
    page = text(viewer.get(f"/schedules/{made.pk}"))
    assert "waits until nothing of this schedule is open" in page


def test_switches_off_and_on(administrator):
    made = schedule()
    path = f"/schedules/{made.pk}"
    answer = administrator.post(path, {"action": "deactivate", "reason": "holi\x00days"})
    assert (answer.status_code, answer["Location"]) == (303, path)
    page = text(administrator.get(path))
    assert "Switched off by ada" in page
    assert "holidays" in text(administrator.get("/schedules"))
    assert "It does not fire while it is off" in page
    administrator.post(path, {"action": "activate"})
    assert Schedule.objects.get().active
    assert administrator.post(path, {"action": "explode"}).status_code == 422


def test_asks_before_it_deletes(administrator, clock):
    made = schedule()
    path = f"/schedules/{made.pk}/delete"
    assert "done after 8 s" in text(administrator.get(path))
    answer = administrator.post(path, {"reason": "moved"}, follow=True)
    assert "A schedule of report is deleted in 8 s." in text(answer)
    assert "Deleting" in text(answer)
    assert "as ada asked" in text(administrator.get(f"/schedules/{made.pk}"))
    assert Schedule.objects.exists()
    clock("09:00:08")
    assert lifecycle.delete_due() == 1
    assert not Schedule.objects.exists()
    assert AuditLog.objects.get(action="schedule.delete").actor == "user:ada"
    assert administrator.get(path).status_code == 404


def test_what_is_in_code_can_only_be_looked_at(administrator):
    made = declared()
    page = text(administrator.get(f"/schedules/{made.pk}"))
    assert "declared in code" in page
    assert "/edit" not in page
    for part, fields in (("", {"action": "deactivate"}), ("/delete", {}), ("/edit", FIELDS)):
        assert administrator.post(f"/schedules/{made.pk}{part}", fields).status_code == 422
    made.refresh_from_db()
    assert (made.active, made.cron) == (True, "0 5 * * *")


def test_operators_may_look_and_not_touch(operator):
    made = schedule()
    for path in (f"/schedules/{made.pk}", f"/schedules/{made.pk}/edit", "/schedules/new",
                 f"/schedules/{made.pk}/delete"):  # fmt: skip
        assert b"Can change queue" in operator.get(path).content
        assert operator.post(path, FIELDS | {"action": "deactivate"}).status_code == 403
    assert Schedule.objects.get().active


@pytest.mark.parametrize("path", ["/schedules/nope", "/schedules/a%00b", "/schedules/nope/edit"])
def test_says_what_is_not_there(administrator, path):
    assert administrator.get(path).status_code == 404


# -- form -----------------------------------------------------------------------------------------


def test_makes_a_schedule(administrator):
    make_task("report")
    answer = administrator.post("/schedules/new", FIELDS)
    made = Schedule.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, f"/schedules/{made.pk}")
    assert {name: getattr(made, name) for name in FIELDS} == FIELDS
    assert (made.created_by, made.next_at) == ("user:ada", datetime(2030, 1, 2, 1, 30, tzinfo=UTC))


def test_shows_the_next_fires_without_saving(administrator):
    make_task("report")
    answer = administrator.post("/schedules/new", FIELDS | {"action": "preview", "task_id": ""})
    assert answer.status_code == 200
    page = text(answer)
    for words in ("At 02:30 every day, Europe/Berlin time", "Wed 2 Jan, 02:30", "Wed 2 Jan, 01:30",
                  "The clocks skip", 'value="user_1"'):  # fmt: skip
        assert words in page
    assert not Schedule.objects.exists()


def test_shows_the_next_fires_while_somebody_types(viewer):
    answer = viewer.get("/schedules/preview", {"cron": "0 8 L * *", "timezone": "America/New_York"})
    assert "last day of every month" in text(answer)
    assert "Thu 31 Jan, 08:00" in text(answer)
    assert "<html" not in text(answer)


@pytest.mark.parametrize(
    ("cron", "zone", "words"),
    [
        ("", "UTC", "Type a cron expression"),
        ("* * *", "UTC", "5 fields"),
        ("0 0 31 2 *", "UTC", "must have it"),
        ("@daily", "Nowhere/At-all", "there is no"),
        ("<b>", "UTC", "5 fields"),
        ("9" * 5000, "UTC", "1 to 200"),
        ("0\x00 * * * *", "UTC", "cannot be read"),
    ],
)
def test_a_preview_says_what_is_wrong(viewer, cron, zone, words):
    answer = viewer.get("/schedules/preview", {"cron": cron, "timezone": zone})
    assert answer.status_code == 200
    assert words in text(answer)
    assert "<b>&lt;" not in text(answer)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"cron": "* * *"}, "id_cron_error"),
        ({"cron": ""}, "id_cron_error"),
        ({"timezone": "Nowhere"}, "id_timezone_error"),
        ({"task_id": "nobody"}, "id_task_id_error"),
        ({"overlap": "no"}, "id_overlap_error"),
        ({"catch_up": ""}, "id_catch_up_error"),
        ({"window": "soon"}, "id_window_error"),
        ({"external_id": "x" * 300}, "id_external_id_error"),
        ({"deduplication_key": "x" * 300}, "id_deduplication_key_error"),
    ],
)
def test_says_at_the_field_what_is_wrong(administrator, fields, place):
    make_task("report")
    answer = administrator.post("/schedules/new", FIELDS | fields)
    assert answer.status_code == 422
    assert f'id="{place}"' in text(answer)
    assert not Schedule.objects.exists()


def test_a_known_key_changes_that_schedule(administrator):
    made = schedule(key="user_1-report")
    administrator.post("/schedules/new", FIELDS)
    assert Schedule.objects.get().pk == made.pk


def test_changes_a_schedule(administrator):
    made = schedule("0 5 * * *", external_id="a", key="k", overlap="skip")
    path = f"/schedules/{made.pk}/edit"
    page = text(administrator.get(path))
    assert 'value="0 5 * * *"' in page
    assert "At 05:00 every day" in page
    assert "deduplication_key" not in page
    answer = administrator.post(path, FIELDS | {"overlap": "", "external_id": "", "window": "30m"})
    assert answer["Location"] == f"/schedules/{made.pk}"
    made.refresh_from_db()
    assert (made.cron, made.external_id, made.overlap) == ("30 2 * * *", None, "")
    assert (made.deduplication_key, made.window) == ("k", "30m")
    assert (
        json.loads(AuditLog.objects.get(action="schedule.update").data)["old"]["overlap"] == "skip"
    )


def test_suggests_the_task_one_came_from(administrator):
    assert 'value="send-it"' in text(administrator.get("/schedules/new", {"task": "send-it"}))


# -- elsewhere ------------------------------------------------------------------------------------


def test_runs_are_filtered_by_schedule_and_say_theirs(viewer, clock):
    make_task("report")
    made = schedule()
    other = queued_run("report")
    clock("10:00:00")
    lifecycle.fire_due()
    run = Run.objects.get(schedule_id=made.pk)
    page = text(viewer.get("/runs", {"schedule": made.pk}))
    assert run.pk in page
    assert other.pk not in page
    assert f"/schedules/{made.pk}" in text(viewer.get(f"/runs/{run.pk}?tab=detail"))
    schedules.delete(made.pk, actor="user:ada")
    assert f"/schedules/{made.pk}" not in text(viewer.get(f"/runs/{run.pk}?tab=detail"))


def test_a_jump_finds_a_schedule(viewer):
    made = schedule()
    assert viewer.get("/jump", {"q": made.pk.upper()})["Location"] == f"/schedules/{made.pk}"


def test_other_runs_have_no_schedule(viewer):
    run = completed_run()
    assert "sched_" not in text(viewer.get(f"/runs/{run.pk}?tab=detail"))


# -- by hand --------------------------------------------------------------------------------------


def run_now(client, made, token="t"):
    return client.post(f"/schedules/{made.pk}/run", {"token": token})


def test_makes_one_run_by_hand_and_goes_on_as_before(operator):
    made = declared(cron="0 10 * * *")
    next_at = made.next_at
    answer = run_now(operator, made)
    run = Run.objects.get()
    assert answer["Location"] == f"/runs/{run.pk}"
    payload = json.loads(run.payload)
    assert payload["timestamp"] == "2030-01-01T09:00:00.000Z"
    assert payload["upcoming"][0] == "2030-01-01T10:00:00.000Z"
    assert (run.schedule_id, run.source, run.actor) == (made.pk, "schedule", "user:otto")
    made.refresh_from_db()
    assert (made.next_at, made.last_at) == (next_at, None)
    page = text(operator.get(f"/schedules/{made.pk}"))
    for words in ("By hand", "Asked for by otto.", "Ran a schedule now"):
        assert words in page


def test_a_second_click_makes_no_second_run(operator):
    made = schedule()
    first, second = run_now(operator, made), run_now(operator, made)
    assert first["Location"] == second["Location"]
    assert Run.objects.count() == 1
    run_now(operator, made, "another")
    assert Run.objects.count() == 2


def test_a_fire_comes_beside_those_by_hand(operator, clock):
    made = schedule("0 10 * * *", overlap="skip")
    run_now(operator, made)
    clock("10:00:00")
    fire_all()
    outcomes = ScheduleTick.objects.order_by("at").values_list("outcome", flat=True)
    assert list(outcomes) == ["by_hand", "skipped"]


def test_a_schedule_that_is_off_runs_by_hand_too(operator):
    made = schedule()
    schedules.deactivate(made.pk, actor="user:ada")
    assert run_now(operator, made).status_code == 303
    assert Run.objects.exists()


def test_a_payload_the_task_does_not_take_is_told(operator):
    made = schedule()
    Task.objects.update(schema='{"type": "string"}')
    definitions.forget()
    answer = operator.post(f"/schedules/{made.pk}/run", {"token": "t"}, follow=True)
    assert "No run was made." in text(answer)
    assert not Run.objects.exists()
    assert not ScheduleTick.objects.exists()


def test_those_who_only_look_make_no_run(viewer):
    made = schedule()
    assert run_now(viewer, made).status_code == 403
    assert viewer.get(f"/schedules/{made.pk}/run").status_code in (403, 405)
    assert "disabled" in text(viewer.get(f"/schedules/{made.pk}"))
    assert not Run.objects.exists()
