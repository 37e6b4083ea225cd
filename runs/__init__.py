"""The domain: what is stored about tasks and runs, and the only code that changes a status.

A **task** is a function an author registered. A **run** is one launch of it, an **attempt** one
execution of its body. A run stands in a **queue**; runs of one queue with the same concurrency key
share a **bucket**, which is what a limit applies to. A run that may be claimed has a **ready** row,
a run that holds a slot has a **lease**. A **worker session** is one living cluster. Every
transition leaves an **event**.

This package knows neither HTTP nor django-q2 nor the author's code.
"""
