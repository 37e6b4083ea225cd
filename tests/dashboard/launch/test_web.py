from dashboard.launch import web


def test_serves_the_application_the_settings_name(settings):
    settings.ASGI_APPLICATION = "mysite.asgi.application"
    assert web.name() == "mysite.asgi.application"


def test_serves_the_asgi_module_beside_the_settings(settings, monkeypatch):
    settings.ASGI_APPLICATION = ""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "dashboard.settings")
    assert web.name() == "dashboard.asgi.application"


def test_serves_djangos_own_application_without_one(settings, monkeypatch):
    settings.ASGI_APPLICATION = ""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    assert web.name() == ""
