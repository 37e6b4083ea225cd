"""The command `trackside`: the verbs of `manage.py`, against a server elsewhere."""

from trackside.shell.command import main

__all__ = ["main"]
