"""Bodies that stay on a free slot while their runs wait, until something else is to be done there.

Their worker can take any run. If the one that comes is the lodger's own, its body returns from the
call it is in; one that it waits for is executed above it. When anything else comes, or nothing for
long, the body is left, and its run goes on from the top of its function, here or elsewhere. The board
says whose body stays where, so that a run which somebody in this cluster takes finds its way there;
what others do with it is seen in the database.
"""

import time
from typing import Any

from engine.cluster import records, reload, tidying
from engine.cluster.board import State
from engine.cluster.packages import package
from engine.cluster.place import Place
from engine.cluster.staying import Stay
from runs import conf
from runs.lifecycle import store
from runs.states import TO_COME

#: Seconds between two looks at whether the run is still there to come back.
LOOK = 1.0


def comes(here: Place, stay: Stay) -> bool:
    """Be free, with the body on the stack, until a run comes; False when the body is to be left."""
    is_promised = (
        here.slot.state == State.ASSIGNED
    )  # to what waits in the inbox for all bodies to leave
    if is_promised or not stay.keeper.has_left:
        return False
    if here.board.head.stop or tidying.is_used_up(here):
        return False
    stay.is_lodger = True
    here.become_free(stay.run_id.encode())
    until = time.monotonic() + float(conf.get("STAY_SECONDS"))
    while (left := until - time.monotonic()) > 0:
        word = here.inbox.peek(min(left, LOOK))
        if word is None and not is_awaited(here, stay):
            break
        if word is not None and not is_usable(here, word):
            break
        if word is not None and took(here, stay, here.inbox.get()):
            return True
    stay.move_out()
    return False


def is_usable(here: Place, word: Any) -> bool:
    """Whether it is a run for this process; everything else is for who reads the inbox otherwise."""
    return isinstance(word, dict) and word["is_run"] and not reload.is_outdated(here)


def took(here: Place, stay: Stay, word: dict[str, Any]) -> bool:
    """Put the run that came into the group."""
    with here.board.locks.held(here.index):  # who sent it may still be writing to the board
        is_meant = here.slot.lease == word["args"]
    if not is_meant:  # but a predecessor that died
        return False
    is_own = (
        word["args"][0] == stay.run_id
    )  # which has begun before, so that its start is written first
    work = (records.started if is_own else records.claimed)(here, *word["args"])
    if work is None:
        here.become_free(stay.run_id.encode())
        return False
    here.slot.lodger = b""
    here.group.fill([work], time.monotonic_ns())
    return True


def is_awaited(here: Place, stay: Stay) -> bool:
    """Whether the run waits, or is about to come back, and nobody executed it since."""
    run_id = stay.run_id
    found = records.insisting(here, lambda opened: opened.targets([run_id]))
    return run_id in found and found[run_id].status in TO_COME and stay.keeper.has_left_last()


def has_run(here: Place, run_id: str, token: str) -> bool:
    """Whether the worker was promised another run than this while a body was being left."""
    return here.slot.state == State.ASSIGNED and here.slot.lease != (run_id, token)


def handed_over(here: Place, work: store.Assignment) -> bool:
    """Whether another worker of this cluster has the body of this run, and goes on with it."""
    if not work.resumed:
        return False
    wanted, lease = work.run_id.encode(), (work.run_id, work.token)
    for index, slot in enumerate(here.board):
        if slot.lodger == wanted and index != here.index:
            records.moved(here, lease, slot.pid)
            if sent(here, index, work):
                return True
            records.moved(here, lease, here.slot.pid)
    return False


def sent(here: Place, index: int, work: store.Assignment) -> bool:
    """Give it to that worker; False when the body is not there any more."""
    slot = here.board.slots[index]
    with here.board.locks.held(index):
        if slot.state != State.FREE or slot.lodger != work.run_id.encode():
            return False
        # in this order: a word that is not on the board is not heard, one that is not sent is missed
        here.inboxes[index].put(package(index, work.run_id, work.token))
        slot.assign(work.run_id, work.token, work.attempt, State.ASSIGNED, begun=work.begun)
        return True
