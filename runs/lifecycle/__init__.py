"""The only writers of a status: one verb, one function."""

from runs.lifecycle.annotating import add_tags, update_metadata
from runs.lifecycle.bulk import (
    abort_bulk,
    begin_bulk,
    go_on_in_bulk,
    is_bulk_open,
    pause_bulk,
    resume_bulk,
)
from runs.lifecycle.canceling import cancel, cancel_orphans
from runs.lifecycle.debouncing import prune_debounced
from runs.lifecycle.depths import prune_depths, sample_depths
from runs.lifecycle.editing import Edit, edit
from runs.lifecycle.firing import fire_due
from runs.lifecycle.mending import mend_waiting
from runs.lifecycle.months import drop_months, open_months, prune_lines
from runs.lifecycle.moving import (
    expire_due,
    promote_due,
    prune_buckets,
    unpark,
    unpark_forgotten,
)
from runs.lifecycle.opening import next_due
from runs.lifecycle.options import Triggered, TriggerItem, TriggerOptions
from runs.lifecycle.overlapping import settle_held
from runs.lifecycle.purging import Selection, purge, purgeable
from runs.lifecycle.queues import (
    Limits,
    expire_overrides,
    override_limit,
    override_limits,
    pause,
    pause_all,
    reset_limit,
    resume,
    resume_all,
    set_limits,
)
from runs.lifecycle.replaying import KEEP, Keep, replay
from runs.lifecycle.retention import (
    prune_batches,
    prune_bulk_actions,
    prune_keys,
    prune_runs,
    prune_ticks,
)
from runs.lifecycle.rollups import count_anew, prune_rollups, roll_up
from runs.lifecycle.taskpauses import pause_task, resume_task
from runs.lifecycle.tokens import time_out_due
from runs.lifecycle.triggering import trigger, trigger_many
from runs.lifecycle.unlocking import unlock
from runs.lifecycle.views import begin_with, change_view, delete_view, save_view
from runs.lifecycle.withdrawing import cancel_due, cancel_now, cancel_soon, withdraw_cancel
from runs.lifecycle.withholding import delete_due

__all__ = [
    "KEEP",
    "Edit",
    "Keep",
    "Limits",
    "Selection",
    "TriggerItem",
    "TriggerOptions",
    "Triggered",
    "abort_bulk",
    "add_tags",
    "begin_bulk",
    "begin_with",
    "cancel",
    "cancel_due",
    "cancel_now",
    "cancel_orphans",
    "cancel_soon",
    "change_view",
    "count_anew",
    "delete_due",
    "delete_view",
    "drop_months",
    "edit",
    "expire_due",
    "expire_overrides",
    "fire_due",
    "go_on_in_bulk",
    "is_bulk_open",
    "mend_waiting",
    "next_due",
    "open_months",
    "override_limit",
    "override_limits",
    "pause",
    "pause_all",
    "pause_bulk",
    "pause_task",
    "promote_due",
    "prune_batches",
    "prune_buckets",
    "prune_bulk_actions",
    "prune_debounced",
    "prune_depths",
    "prune_keys",
    "prune_lines",
    "prune_rollups",
    "prune_runs",
    "prune_ticks",
    "purge",
    "purgeable",
    "replay",
    "reset_limit",
    "resume",
    "resume_all",
    "resume_bulk",
    "resume_task",
    "roll_up",
    "sample_depths",
    "save_view",
    "set_limits",
    "settle_held",
    "time_out_due",
    "trigger",
    "trigger_many",
    "unlock",
    "unpark",
    "unpark_forgotten",
    "update_metadata",
    "withdraw_cancel",
]
