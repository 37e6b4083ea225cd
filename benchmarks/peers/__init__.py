"""Other engines doing the same work, each in its own environment with pinned versions.

A script here runs under its peer's own interpreter and knows three words: `setup` makes the schema,
`preload N` queues N no-op jobs by the peer's fastest way in, `work` runs until SIGTERM. The database
is in BENCH_DATABASE. Nothing here imports Trackside.
"""
