import json
from functools import partial

import pytest

from runs import signals
from runs.errors import InvalidOption, NotFound
from runs.lifecycle import envvars
from runs.models import AuditLog, EnvVar
from tests.support.threads import together

pytestmark = pytest.mark.django_db
ME = "user:ada"


def put(secret=False, override=True, **values):
    return envvars.put(values, actor=ME, secret=secret, override=override)


def audited():
    return [
        (row.action, row.target, json.loads(row.data)) for row in AuditLog.objects.order_by("id")
    ]


def test_values_are_encrypted_and_come_back():
    assert put(TOKEN="s3cret \u00fc\n", EMPTY="") == 2
    assert envvars.loaded() == envvars.Loaded(1, {"TOKEN": "s3cret \u00fc\n", "EMPTY": ""}, [])
    stored = EnvVar.objects.get(name="TOKEN")
    assert "s3cret" not in stored.value
    assert (stored.size, stored.updated_by) == (len("s3cret \u00fc\n".encode()), ME)


def test_every_change_is_counted_and_told_of_and_nothing_else_is(
    django_capture_on_commit_callbacks,
):
    told = []
    heard = signals.variables_changed.connect(lambda **_: told.append(1), weak=False)  # noqa: F841
    with django_capture_on_commit_callbacks(execute=True):
        put(A="1")
        put(A="1")
        put(A="2", B="1")
        envvars.update("A", "2", actor=ME)
        envvars.delete("B", actor=ME)
    assert (envvars.revision(), len(told)) == (3, 3)


def test_the_audit_log_has_names_and_no_values():
    put(A="alpha")
    put(A="omega", secret=True)
    envvars.update("A", "delta", actor=ME)
    envvars.delete("A", actor=ME)
    assert audited() == [
        ("envvar.create", "A", {"secret": False}),
        ("envvar.update", "A", {"secret": True}),
        ("envvar.update", "A", {"secret": True}),
        ("envvar.delete", "A", {"secret": True}),
    ]
    assert not any(word in str(audited()) for word in ("alpha", "omega", "delta"))


def test_a_secret_stays_one():
    put(A="1", secret=True)
    put(A="2")
    assert EnvVar.objects.get().is_secret


def test_without_override_nothing_is_replaced_nor_added():
    put(B="1", A="1")
    with pytest.raises(envvars.AlreadySet, match="set already: A, B"):
        put(override=False, A="2", B="2", C="2")
    assert envvars.loaded().values == {"A": "1", "B": "1"}
    put(override=False, C="3")
    assert envvars.loaded().values["C"] == "3"


@pytest.mark.parametrize(
    "name",
    [
        "", "A B", "A=B", "A-B", "A.B", "\u00c4", "A\n", "A\x00", "x" * 257,
        "TRIGGER_SECRET_KEY", "TRIGGER_API_URL", "TRACKSIDE_WORKERS", "DATABASE_URL", "SECRET_KEY",
        "SECRET_KEY_FALLBACKS", "DJANGO_SETTINGS_MODULE", "LD_PRELOAD", "PYTHONPATH", "PGPASSWORD",
        "PGOPTIONS", "TZ",
    ],
)  # fmt: skip
def test_refuses_names_that_cannot_be(name):
    with pytest.raises(InvalidOption) as refused:
        envvars.put({"GOOD": "1", name: "the value"}, actor=ME)
    assert refused.value.option == "name"
    assert "the value" not in str(refused.value)
    assert not EnvVar.objects.exists()


@pytest.mark.parametrize(
    "name", ["a", "_", "1", "LDAP_URL", "PGP_KEY", "TRIGGER_VERSION", "SECRET_KEY_2", "PATH", "x" * 256]
)  # fmt: skip
def test_takes_names_beside_them(name):
    assert put(**{name: "1"}) == 1


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", "x" * 65_537, "\u00fc" * 32_769])
def test_refuses_values_that_cannot_be(value):
    with pytest.raises(InvalidOption) as refused:
        put(A=value)
    assert refused.value.option == "value"
    assert len(str(refused.value)) < 200


def test_all_together_have_a_limit(monkeypatch):
    monkeypatch.setattr(envvars, "MOST", 2)
    put(A="1", B="1")
    with pytest.raises(InvalidOption, match="There may be 2"):
        put(C="1")
    monkeypatch.setattr(envvars, "TOTAL", 20)
    put(A="x" * 17)
    with pytest.raises(InvalidOption, match="21 bytes; the limit is 20"):
        put(B="22")
    assert (EnvVar.objects.count(), envvars.loaded().values["B"]) == (2, "1")


def test_what_is_not_there_is_not_found():
    for call in (partial(envvars.update, "A", "1"), partial(envvars.delete, "A\x00")):
        with pytest.raises(NotFound):
            call(actor=ME)
    assert envvars.revision() == 0


def test_what_another_key_encrypted_is_told_and_replaced(settings):
    put(OLD="1", NEW="1")
    settings.SECRET_KEY = "another" * 10
    put(NEW="2")
    found = envvars.loaded()
    assert (found.values, found.unreadable) == ({"NEW": "2"}, ["OLD"])
    settings.SECRET_KEY_FALLBACKS = ["x"]
    assert put(OLD="3") == 1


@pytest.mark.django_db(transaction=True)
def test_changes_at_the_same_time_take_turns(monkeypatch):
    monkeypatch.setattr(envvars, "MOST", 3)

    def one(number):
        try:
            return put(**{f"V{number}": "1"})
        except InvalidOption:
            return 0

    assert sum(together([partial(one, number) for number in range(6)])) == 3
    assert (EnvVar.objects.count(), envvars.revision()) == (3, 3)
