"""Transactions that a body has open."""

from django.db import connections
from django.db.transaction import Atomic


def is_in_transaction() -> bool:
    """Whether the body has a transaction open on any of Django's connections.

    The one that Django's TestCase is in is not the body's, as `transaction.atomic(durable=True)` has it.
    """
    opened = (one.atomic_blocks for one in connections.all(initialized_only=True))
    return any(blocks and not is_testcases(blocks[-1]) for blocks in opened)


def is_testcases(block: Atomic) -> bool:
    """Whether Django's TestCase opened it."""
    return bool(getattr(block, "_from_testcase", False))
