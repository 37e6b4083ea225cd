"""The product's settings with a view that does nothing beside its own."""

from dashboard.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.inside.site"
