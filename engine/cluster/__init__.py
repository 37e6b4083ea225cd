"""django-q2 as the shell: its process tree, our dispatcher, workers and supervisor.

    main        TracksideCluster: signals in, exit code out
     └ sentinel TracksideSentinel: parent of everything, runs no user code, touches no database
        ├ worker × N    executes bodies, writes their outcome, takes the next runs
        ├ dispatcher    DispatchBroker in django-q2's pusher loop: claims as many runs as slots are free,
        │               relieves workers whose body turns out to be long of what else they took
        └ bookkeeper    heartbeat, deaths, log lines, housekeeping

The processes share one `Board` in memory and talk through datagram sockets, never through a queue
with a lock: any of them may be killed at any moment. This is the only package that imports
django_q.
"""
