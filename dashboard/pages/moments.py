"""Moments in forms: the field people pick one in, and how it is written into one."""

from datetime import datetime
from typing import Any

from django import forms
from django.utils import timezone

FORMATS = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]


class MomentField(forms.DateTimeField):
    """A moment on the clock of who looks; it may stay empty."""

    def __init__(self, label: str, **more: Any) -> None:
        widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")
        super().__init__(label=label, required=False, input_formats=FORMATS, widget=widget, **more)


class FutureField(MomentField):
    """One that is still to come."""

    def clean(self, value: Any) -> datetime | None:
        moment: datetime | None = super().clean(value)
        if moment is not None and moment <= timezone.now():
            raise forms.ValidationError("This time has passed.")
        return moment


def written(moment: datetime | None) -> str | None:
    """As a form reads it back, to the second."""
    return f"{timezone.localtime(moment):%Y-%m-%dT%H:%M:%S}" if moment else None
