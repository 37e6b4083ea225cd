"""What the measurements stand on: servers, processes, peers' environments, reports."""
