"""Below a path of another project no address leads out of it."""

import re

import pytest
from django.conf import settings
from django.urls import NoReverseMatch, reverse

from dashboard.pages.urls import app_name, urlpatterns
from tests.support.rows import completed_run, failed_run, make_user

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.support.mounted")]
ADDRESS = re.compile(r'(?:href|src|action|hx-get|hx-post)="(/[^"]*)"')
FILES = settings.BASE_DIR / "static" / "dashboard"
#: A path that begins at the root, in quotes.
ROOTED = re.compile(r"""["'`]/[a-z]""")


def pages() -> list[str]:
    found = []
    for pattern in urlpatterns:
        try:
            found.append(reverse(f"{app_name}:{pattern.name}"))
        except NoReverseMatch:
            continue
    return found


def test_every_address_stays_below_the_path(client):
    client.force_login(make_user("olga", "change_run", "change_queue"))
    runs = [completed_run(), failed_run()]
    out = []
    for address in [*pages(), *(reverse("dashboard:run", args=[run.id]) for run in runs)]:
        assert address.startswith("/ops/")
        response = client.get(address)
        if not response.streaming and "html" in response.get("Content-Type", ""):
            links = ADDRESS.findall(response.content.decode())
            out += [(address, link) for link in links if not link.startswith(("/ops/", "/static/"))]
    assert not out


@pytest.mark.parametrize("script", sorted(FILES.glob("*.js")), ids=lambda path: path.name)
def test_scripts_name_no_path(script):
    assert not ROOTED.findall(script.read_text())
