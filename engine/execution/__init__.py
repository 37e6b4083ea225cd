"""One attempt of one run inside a worker process. Knows no database."""
