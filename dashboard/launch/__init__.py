"""`manage.py up`: web server and cluster as children of one small supervisor.

The supervisor runs no user code and serves no request. It holds the listening socket, starts each
child in a session of its own (so that Ctrl-C reaches only the supervisor), restarts what dies, and
leaves nothing running when it stops, even when it is killed.
"""
