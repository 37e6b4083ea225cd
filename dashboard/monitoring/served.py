"""What this web process has answered. Counted by its event loop alone, so nothing needs a lock."""

from collections import defaultdict

#: Requests by the hundred of their status, and the seconds they took together.
answers: defaultdict[int, int] = defaultdict(int)
seconds = 0.0


def note(status: int, took: float) -> None:
    """One more answer."""
    global seconds
    answers[status // 100] += 1
    seconds += took
