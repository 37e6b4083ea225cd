import pytest

from tests.support.rows import make_user

pytestmark = [pytest.mark.system, pytest.mark.django_db(transaction=True), pytest.mark.once]


@pytest.mark.parametrize("fixture", ["page", "page_without_scripts"])
def test_leads_to_the_page_that_was_asked_for(request, fixture):
    make_user("olga")
    page = request.getfixturevalue(fixture)
    page.goto("/login/?next=/runs")
    page.get_by_label("User name").fill("olga")
    page.get_by_label("Password").fill("a-good-password")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/runs")
