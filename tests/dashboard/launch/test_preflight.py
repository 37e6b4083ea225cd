import pytest
from django.db import OperationalError, connection

from dashboard.launch import preflight
from dashboard.launch.preflight import StartError
from runs.lifecycle import apikeys
from tests.support.postgres import free_port


def test_refuses_a_busy_port_and_names_a_way_out():
    with preflight.listen("127.0.0.1", free_port()) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartError, match=f"Port {port} on 127.0.0.1 is in use") as caught:
            preflight.listen("127.0.0.1", port)
    assert f"PORT={port + 1}" in str(caught.value)


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_refuses_an_address_of_another_machine(host):
    with pytest.raises(StartError, match="HOST must be an address of this machine"):
        preflight.listen(host, free_port())


@pytest.mark.django_db
def test_names_the_database():
    name = "SQLite 3." if connection.vendor == "sqlite" else "PostgreSQL 1"
    assert preflight.database().startswith(name)


@pytest.mark.django_db
def test_refuses_an_old_database(monkeypatch):
    monkeypatch.setattr(preflight, "OLDEST_SQLITE", (99, 0))
    monkeypatch.setattr(preflight, "OLDEST_POSTGRESQL", 99)
    with pytest.raises(StartError, match=r"is too old: Trackside needs 99\S* or newer\.$"):
        preflight.database()


@pytest.mark.django_db
def test_a_database_that_does_not_answer_is_one_sentence(monkeypatch):
    def fail():
        raise OperationalError('connection to "h", port 5 failed:\trefused\n\tIs it running?\n')

    monkeypatch.setattr(connection, "ensure_connection", fail)
    with pytest.raises(StartError, match=r"^Cannot [^\n\t]*refused[^\n\t]*$"):
        preflight.database()


def test_makes_the_preset_key_known(db, monkeypatch):
    key = "tr_dev_" + "k" * 40
    monkeypatch.setenv("TRACKSIDE_API_KEY", key)
    preflight.api_key()
    assert apikeys.verify(key) is not None


def test_a_preset_key_that_cannot_be_one_is_refused(db, monkeypatch):
    monkeypatch.setenv("TRACKSIDE_API_KEY", "short")
    with pytest.raises(preflight.StartError, match="TRACKSIDE_API_KEY"):
        preflight.api_key()
