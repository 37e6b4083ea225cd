"""The audit log on its page and as a file, and that nothing is done without it."""

import ast
import csv
import io
from pathlib import Path

import pytest
from django.core.cache import cache

from runs.lifecycle import audit
from runs.models import AuditLog
from tests.support.rows import completed_run, make_user

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[3]


def test_says_who_did_what(administrator):
    run = completed_run()
    audit.record("user:otto", "run.cancel", run.pk, reason="too slow", status="QUEUED")
    audit.record("key:ci", "queue.pause", "mail", reason="<b>", filter={"password": "x"})
    text = administrator.get("/settings/audit").content.decode()
    assert "Canceled a run" in text
    assert f'href="/runs/{run.pk}"' in text
    assert "&lt;b&gt;" in text
    assert "key ci" in text
    assert "[redacted]" in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "012"), ("actor=otto", "01"), ("actor=user:otto", "01"), ("action=queue.pause", "1"),
        ("action=queue.", "1"), ("target=b", "1"), ("text=slow", "0"), ("action=no.such", "012"),
        ("actor=nobody", ""), ("period=24h", "012"), ("period=x&before=x", "012"), ("actor=%00", "012"),
    ],
)  # fmt: skip
def test_filters(administrator, query, found):
    audit.record("user:otto", "run.cancel", "a", reason="too slow")
    audit.record("user:otto", "queue.pause", "b")
    audit.record("key:ci", "run.edit", "c")
    rows = administrator.get(f"/settings/audit?{query}").context["entries"]
    targets = sorted(row.row.target for row in rows)
    assert targets == ["abc"[int(number)] for number in found]


def test_pages_by_key(administrator, monkeypatch, few_reads):
    monkeypatch.setattr("dashboard.pages.audit.PAGE", 2)
    for number in range(3):
        audit.record("user:otto", "run.edit", str(number))
    with few_reads(5):
        first = administrator.get("/settings/audit")
    older = administrator.get(f"/settings/audit?before={first.context['older']}")
    assert [one.row.target for one in older.context["entries"]] == ["0"]
    assert not older.context["older"]


def test_a_target_without_a_page_is_only_told(administrator):
    for target in ("", "a/b/c?d", "x" * 300, "\n"):
        AuditLog.objects.create(actor="user:ada", action="schedule.update", target=target)
    assert administrator.get("/settings/audit").status_code == 200


def test_the_file_is_no_program(administrator, monkeypatch):
    monkeypatch.setattr("runs.reads.auditing.STEP", 2)
    for reason in ("=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)", 'say "x", y'):
        audit.record("user:otto", "run.edit", "t", reason=reason, api_key="s3cret")
    answer = administrator.get("/settings/audit.csv?period=all")
    head, *rows = csv.reader(io.StringIO(answer.getvalue().decode()))
    assert head == ["at", "actor", "action", "target", "reason", "data", "ip", "result"]
    assert [row[4][:2] for row in rows] == ["sa", "'@", "'-", "'+", "'="]
    assert "s3cret" not in str(rows)
    assert "attachment" in answer.headers["content-disposition"]


def test_every_verb_that_is_recorded_has_words():
    said = set()
    for path in [*ROOT.glob("runs/**/*.py"), *ROOT.glob("dashboard/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                "audit.record",
                "_changing",
            ):
                said |= {
                    one.value
                    for one in ast.walk(ast.Module([ast.Expr(a) for a in node.args], []))
                    if isinstance(one, ast.Constant) and "." in str(one.value)
                }
    beginnings = {f"{verb.partition('.')[0]}." for verb in audit.VERBS}
    assert said - {"."} - beginnings <= set(audit.VERBS)


def test_reveals_with_a_reason_and_on_record(administrator, operator):
    run = completed_run(payload='{"user": {"password": "hunter2"}, "api_key": 7, "n": 1}')
    page = f"/runs/{run.pk}/reveal/payload"
    assert "hunter2" not in administrator.get(page).content.decode()
    assert page in administrator.get(f"/runs/{run.pk}?tab=payload").content.decode()
    chosen = {"places": ["$.user.password"], "reason": "ticket 7"}
    shown = administrator.post(page, chosen)
    assert "hunter2" in shown.content.decode()
    assert "no-store" in shown.headers["cache-control"]
    entry = AuditLog.objects.get()
    assert (entry.actor, entry.action, entry.reason) == ("user:ada", "run.reveal", "ticket 7")
    assert entry.data == '{"places": ["payload.user.password"]}'
    assert "hunter2" not in entry.data
    for wrong in ({"places": ["$.n"], "reason": "x"}, {"places": ["$.api_key"], "reason": ""}, {}):
        refused = administrator.post(page, wrong)
        assert refused.status_code == 422
        assert "hunter2" not in refused.content.decode()
    assert operator.post(page, chosen).status_code == 403
    assert "aria-disabled" in operator.get(page).content.decode()
    assert administrator.get(f"/runs/{run.pk}/reveal/output").status_code == 200
    assert administrator.get(f"/runs/{run.pk}/reveal/id").status_code == 404
    assert AuditLog.objects.filter(action="run.reveal").count() == 1


def test_accounts_changed_in_djangos_admin_are_on_record(client):
    client.force_login(make_user("boss", is_staff=True, is_superuser=True))
    vera = make_user("vera")
    facts = {"username": "vera2", "date_joined_0": "2026-01-01", "date_joined_1": "00:00"}
    answer = client.post(f"/admin/auth/user/{vera.pk}/change/", facts)
    assert answer.status_code == 302
    entry = AuditLog.objects.get()
    assert (entry.actor, entry.action, entry.target) == (
        "user:boss",
        "account.change",
        "user vera2",
    )


def test_says_what_was_done_and_what_was_refused(administrator):
    audit.record("user:otto", "run.cancel", "a")
    audit.record("user:otto", "account.failed", "b")
    text = administrator.get("/settings/audit").text
    assert (text.count("</svg> Done"), text.count("</svg> Refused")) == (1, 1)
    sent = b"".join(administrator.get("/settings/audit.csv").streaming_content).decode()
    assert [row["result"] for row in csv.DictReader(io.StringIO(sent))] == ["refused", "done"]


def test_a_form_that_an_account_may_not_send_is_on_record(viewer, client):
    cache.clear()
    run = completed_run()
    for _ in range(2):
        assert viewer.post(f"/runs/{run.pk}/cancel").status_code == 403
    row = AuditLog.objects.get(action="access.refused")
    assert (row.actor, row.target) == ("user:vera", f"/runs/{run.pk}/cancel")
    assert row.reason
    viewer.get("/settings/audit")
    client.post(f"/runs/{run.pk}/cancel")
    assert AuditLog.objects.filter(action="access.refused").count() == 1
