import locale
import os
import signal
import time

import pytest

from engine.execution import hygiene


@pytest.fixture
def before():
    return hygiene.Snapshot()


def test_nothing_to_do(before):
    assert before.restore() == ""


def test_the_environment_comes_back(before, monkeypatch):
    monkeypatch.setenv("KEPT", "yes")
    before = hygiene.Snapshot()
    os.environ["ADDED"] = "x"
    os.environ["TZ"] = "Asia/Tokyo"
    os.environ["KEPT"] = "changed"
    time.tzset()
    assert before.restore() == ""
    assert "ADDED" not in os.environ
    assert os.environ["KEPT"] == "yes"
    assert time.tzname[0] != "JST"


def test_directory_umask_locale_and_signals_come_back(before, tmp_path):
    here = os.getcwd()
    os.chdir(tmp_path)
    os.umask(0)
    locale.setlocale(locale.LC_ALL, "C")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.alarm(30)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    assert before.restore() == ""
    assert os.getcwd() == here
    assert hygiene.current_umask() != 0
    assert signal.getsignal(signal.SIGTERM) is not signal.SIG_IGN
    assert signal.alarm(0) == 0
    assert signal.SIGUSR2 not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_closed_descriptor_is_damage():
    reading, writing = os.pipe()
    before = hygiene.Snapshot([reading])
    os.close(reading)
    os.close(writing)
    assert str(reading) in before.restore()


def test_a_descriptor_that_became_another_file_is_damage(tmp_path):
    reading, writing = os.pipe()
    before = hygiene.Snapshot([reading])
    with (tmp_path / "other").open("w") as other:
        os.dup2(other.fileno(), reading)
    assert "replaced" in before.restore()
    os.close(reading)
    os.close(writing)


def test_a_directory_that_is_gone_is_damage(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    before = hygiene.Snapshot()
    os.chdir(tmp_path)
    gone.rmdir()
    assert "directory" in before.restore()


def test_a_replaced_clock_is_damage(before, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert "time.time" in before.restore()
