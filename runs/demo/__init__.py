"""The made-up history of a web shop, to look at and to measure: what `manage.py demo` writes.

The cast (`cast`) and what happens to it (`mishaps`, `documents`) are told as stories, each a run with
everything it leaves in the database (`stories`). `writing` stores them, `copying` makes millions of
them where the database can, `scenery` is what stands around them, and `clearing` removes it all.
"""
