"""Sending alerts: by mail, and by HTTP to addresses that people typed."""
