import pytest
from django.core.exceptions import ImproperlyConfigured

from dashboard.conf import database


def test_reads_a_relative_and_an_absolute_sqlite_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert database.from_url("sqlite:///a/b.sqlite3")["NAME"] == str(tmp_path / "a/b.sqlite3")
    assert database.from_url("sqlite:////a/b%20c.sqlite3")["NAME"] == "/a/b c.sqlite3"


def test_reads_a_postgres_url_as_libpq_does():
    entry = database.from_url("postgres://me:p%40ss@db:5433/runs?sslmode=require")
    assert [entry[key] for key in ("USER", "PASSWORD", "HOST", "PORT", "NAME")] == [
        "me", "p@ss", "db", "5433", "runs",
    ]  # fmt: skip
    assert entry["OPTIONS"]["sslmode"] == "require"


def test_reads_a_socket_directory():
    entry = database.from_url("postgresql://me@/runs?host=/var/run/postgresql")
    assert entry["HOST"] == "/var/run/postgresql"


def test_only_the_web_process_pools_and_limits_its_statements():
    web, other = (database.from_url("postgres://h/n", process=name) for name in ("web", "cluster"))
    assert "pool" in web["OPTIONS"]
    assert web["CONN_MAX_AGE"] == 0
    assert "statement_timeout" in web["OPTIONS"]["options"]
    assert "pool" not in other["OPTIONS"]
    assert other["CONN_MAX_AGE"] is None
    assert "statement_timeout" not in other["OPTIONS"]["options"]


def test_parameters_of_the_url_win():
    entry = database.from_url("postgres://h/n?connect_timeout=60")
    assert entry["OPTIONS"]["connect_timeout"] == "60"


@pytest.mark.parametrize("process", ["web", "cluster"])
def test_behind_a_pooler_of_transactions_nothing_rests_on_a_session(process):
    url = (
        "postgres://me:p+%40@pool:6432/runs?sslmode=require&pool_mode=transaction&connect_timeout=9"
    )
    entry = database.from_url(url, process=process)
    assert entry["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert entry["OPTIONS"]["prepare_threshold"] is None
    assert "options" not in entry["OPTIONS"]
    assert (entry["PASSWORD"], entry["NAME"]) == ("p+@", "runs")
    assert (entry["OPTIONS"]["sslmode"], entry["OPTIONS"]["connect_timeout"]) == ("require", "9")


def test_a_pooler_of_sessions_changes_nothing():
    assert database.from_url("postgres://h/n?pool_mode=session") == database.from_url(
        "postgres://h/n"
    )
    given = database.from_url("postgres://h/n?options=-cjit%3Don&pool_mode=transaction")
    assert given["OPTIONS"]["options"] == "-cjit=on"


@pytest.mark.parametrize(
    "url",
    [
        "postgres://h/n?pool_mode=statement",
        "mysql://h/n",
        "postgres://h",
        "postgres://h:p:q/n",
        "postgres://h/n?no_such=1",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "runs.sqlite3",
    ],
)
def test_refuses_in_one_sentence(url):
    with pytest.raises(ImproperlyConfigured, match=r"^DATABASE_URL[^\n]*\.$"):
        database.from_url(url)


def test_never_repeats_the_password():
    with pytest.raises(ImproperlyConfigured) as caught:
        database.from_url("postgres://me:s3cret@h:p:q/n?x")
    assert "s3cret" not in str(caught.value)
