"""What happened in the domain, sent after commit. The engine wakes its clusters by these."""

from django.dispatch import Signal

#: Runs became claimable. No arguments: a cluster looks for itself.
runs_ready = Signal()
#: An executing run was asked to stop. Arguments: run_id.
cancel_requested = Signal()
#: The cluster that executed a run was lost, and the run taken back. Arguments: run_id.
run_lost = Signal()
#: The environment variables of runs were changed. No arguments.
variables_changed = Signal()
