"""Settings of the processes that are to be broken: the product's, with `armed` beside its apps."""

from dashboard.settings import *  # noqa: F403
from dashboard.settings import INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "tests.chaos.armed.Armed"]
