"""Every call, once: the clients of both kinds take theirs from here."""
