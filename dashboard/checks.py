"""What must not be true of a deployment other people reach. For projects of your own too."""

from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.core.checks.security.base import SECRET_KEY_MIN_LENGTH

from dashboard.conf.secret import HOW, is_weak
from runs import conf

TAG = "trackside"
VISITS = "dashboard.accounts.visits.visits"


@register(TAG)
def nothing_is_left_as_in_development(**_: Any) -> list[CheckMessage]:
    """Errors end every command, `up` and `qcluster` among them."""
    kind = conf.get("ENVIRONMENT").get("kind", "dev")
    found: list[CheckMessage] = []
    if kind == "dev":
        return found
    if settings.DEBUG:
        said = f"DEBUG is on where the environment is {kind}: it shows settings and source to everybody."
        found.append(Error(said, hint="DEBUG = False", id="trackside.E010"))
    if is_weak(settings.SECRET_KEY):
        said = (
            f"SECRET_KEY can be guessed, or is that of an example, where the environment is {kind}."
        )
        hint = f"At least {SECRET_KEY_MIN_LENGTH} random characters; {HOW}"
        found.append(Error(said, hint=hint, id="trackside.E011"))
    return found


@register(TAG, deploy=True)
def what_a_deployment_should_have(**_: Any) -> list[CheckMessage]:
    """`manage.py check --deploy`."""
    found: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS:
        said = "ALLOWED_HOSTS admits any name: links to log in carry the name a browser was told."
        found.append(checks.Warning(said, hint="Name the hosts people use.", id="trackside.W010"))
    if VISITS not in settings.MIDDLEWARE:
        said = "Sessions that nobody uses do not end, and the audit log knows no addresses."
        hint = f"Add {VISITS!r} behind Django's AuthenticationMiddleware."
        found.append(checks.Warning(said, hint=hint, id="trackside.W011"))
    return found
