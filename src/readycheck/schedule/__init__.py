"""Runs that come back: when they are due, the process that waits for them, and the entries that others wait by."""
