from datetime import timedelta

import pytest
from django.utils import timezone

from runs import fingerprints, lifecycle, slots
from runs.lifecycle import attempts, counting, errorgroups, regressing
from runs.models import ErrorCount, ErrorEvent, ErrorGroup, Failure, Run
from runs.states import RunStatus
from tests.support.factories import claim, executing_run, expired_run, finish, session, trigger
from tests.support.failing import error, failed_run, group_of, recovered_run
from tests.support.threads import together

pytestmark = pytest.mark.django_db
ADA = "user:ada"


def kinds(group):
    return list(ErrorEvent.objects.filter(fingerprint=group.pk).values_list("kind", flat=True))


def test_a_failure_becomes_a_group():
    run = failed_run(error("order 7 has no card"))
    group = group_of(run)
    assert (group.task_id, group.name, group.message) == (
        "send",
        "ValueError",
        "order 7 has no card",
    )
    assert group.place == "tasks/billing.py:12 in charge"
    assert (group.total, group.ended, group.status) == (1, 1, "unresolved")
    assert (group.first_run_id, group.last_run_id, group.first_version) == (run.pk, run.pk, "1")
    assert kinds(group) == ["seen"]
    assert group.pk == fingerprints.of(fingerprints.mark(run.error), "send")


def test_cases_of_one_error_are_one_group():
    failed_run(error("order 7"))
    last = failed_run(error("order 8"), version="2")
    group = group_of(last)
    assert (group.total, group.last_run_id, group.last_version) == (2, last.pk, "2")
    assert group.first_version == "1"
    assert ErrorGroup.objects.count() == 1


def test_each_task_has_groups_of_its_own():
    failed_run()
    group_of(failed_run(task_id="bill"))
    assert set(ErrorGroup.objects.values_list("task_id", flat=True)) == {"send", "bill"}


def test_a_retry_counts_and_ends_nothing():
    run = recovered_run()
    group = group_of(run)
    assert (group.total, group.ended, run.status) == (1, 0, RunStatus.COMPLETED)


@pytest.mark.parametrize(
    "status", [RunStatus.CRASHED, RunStatus.TIMED_OUT, RunStatus.SYSTEM_FAILURE]
)
def test_every_bad_end_has_a_group(status):
    text = attempts.internal_error("TASK_PROCESS_SIGSEGV", "The process died.")
    group = group_of(failed_run(text, status))
    assert (group.name, group.message) == ("TASK_PROCESS_SIGSEGV", "The process died.")


def test_a_lost_cluster_counts():
    one = executing_run()
    finish(attempts.outlive(*one.lease, "TASK_RUN_STALLED_EXECUTING", "It stopped answering."))
    assert group_of(one.run).name == "TASK_RUN_STALLED_EXECUTING"


def test_expired_runs_have_a_group():
    group = group_of(expired_run())
    assert (group.name, group.ended) == ("Expired", 1)
    assert group.message.startswith("Its time to live passed")


def test_a_run_that_expires_at_its_claim_has_the_same_group():
    first = group_of(expired_run())
    run = trigger(ttl=3600.0)
    Run.objects.filter(pk=run.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    claim(session())
    assert Run.objects.get(pk=run.pk).status == RunStatus.EXPIRED
    assert group_of(run).pk == first.pk


def test_cancels_and_successes_have_none():
    one = executing_run()
    lifecycle.cancel(one.run_id, actor=ADA)
    finish(attempts.acknowledge_cancel(*one.lease, error()))
    assert not Failure.objects.exists()


def test_a_failure_of_a_run_that_was_asked_to_cancel_has_none():
    one = executing_run()
    lifecycle.cancel(one.run_id, actor=ADA)
    finish(attempts.fail(*one.lease, error()))
    assert not Failure.objects.exists()


def test_counts_are_kept_by_slot_and_version():
    failed_run()
    failed_run()
    group_of(failed_run(version="2"))
    found = ErrorCount.objects.filter(span=slots.LONG).order_by("version")
    assert list(found.values_list("version", "failures", "ended")) == [("1", 2, 2), ("2", 1, 1)]
    assert all(one.at.minute == 0 for one in found)


def test_nothing_is_counted_twice():
    group = group_of(failed_run())
    assert counting.count_failures() == 0
    group.refresh_from_db()
    assert group.total == 1


@pytest.mark.django_db(transaction=True)
def test_clusters_count_together_what_there_is():
    by = session(slots=12)
    for number in range(12):
        failed_run(error(f"order {number}"), by=by)
    counted = together([counting.count_failures] * 3)
    assert sum(counted) == 12
    assert ErrorGroup.objects.get().total == 12


def test_a_resolved_group_comes_back():
    group = group_of(failed_run())
    errorgroups.resolve(group.pk, actor=ADA)
    group = group_of(failed_run())
    assert (group.status, group.changed_by) == ("unresolved", "system")
    assert kinds(group) == ["seen", "resolved", "regressed"]


def test_versions_of_before_do_not_reopen_what_is_resolved_in_a_later_one():
    group = group_of(failed_run(version="1"))
    errorgroups.resolve(group.pk, actor=ADA, version="2")
    assert group_of(failed_run(version="1")).status == "resolved"
    assert group_of(failed_run(version="2")).status == "unresolved"


def test_what_is_resolved_in_its_own_version_comes_back_in_it():
    group = group_of(failed_run(version="1"))
    errorgroups.resolve(group.pk, actor=ADA, version="1")
    assert group_of(failed_run(version="1")).status == "unresolved"


def test_a_failure_from_before_does_not_reopen():
    group = group_of(failed_run())
    failed_run()
    errorgroups.resolve(group.pk, actor=ADA)
    counting.count_failures()
    group.refresh_from_db()
    assert (group.status, group.total) == ("resolved", 2)


def test_ignored_for_ever_stays_so():
    group = group_of(failed_run())
    errorgroups.ignore(group.pk, actor=ADA)
    assert group_of(failed_run()).status == "ignored"


def test_ignored_until_a_total():
    group = group_of(failed_run())
    errorgroups.ignore(group.pk, actor=ADA, count=2)
    failed_run()
    assert group_of(failed_run()).status == "ignored"
    group = group_of(failed_run())
    assert (group.status, group.ignored_total) == ("unresolved", None)
    assert kinds(group)[-1] == "returned"


def test_ignored_until_a_rate():
    group = group_of(failed_run())
    errorgroups.ignore(group.pk, actor=ADA, rate=2)
    failed_run()
    assert group_of(failed_run()).status == "ignored"
    Failure.objects.update(at=timezone.now())
    failed_run()
    failed_run()
    assert group_of(failed_run()).status == "unresolved"


def test_ignored_until_a_moment():
    group = group_of(failed_run())
    errorgroups.ignore(group.pk, actor=ADA, until=timezone.now() + timedelta(hours=1))
    assert regressing.return_due() == 0
    ErrorGroup.objects.update(ignored_until=timezone.now())
    assert regressing.return_due() == 1
    group.refresh_from_db()
    assert (group.status, group.ignored_until) == ("unresolved", None)


def test_old_counts_go():
    group_of(failed_run())
    before = timezone.now() - timedelta(days=3)
    ErrorCount.objects.filter(span=slots.SHORT).update(at=before)
    assert counting.prune_counts() == 1
    assert set(ErrorCount.objects.values_list("span", flat=True)) == {slots.LONG, slots.DAY}


def test_failures_go_with_their_runs():
    run = failed_run()
    lifecycle.prune_runs(timezone.now() + timedelta(days=1))
    assert not Run.objects.filter(pk=run.pk).exists()
    assert not Failure.objects.exists()


def test_a_group_whose_run_has_gone_has_a_name():
    run = failed_run()
    Run.objects.filter(pk=run.pk).delete()
    assert counting.count_failures() == 1
    assert ErrorGroup.objects.get().name == "ValueError"
