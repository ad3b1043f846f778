"""The signals by which a program is told to end."""

import signal

ENDING = tuple(
    int(getattr(signal, name))
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")  # the last one is of Windows
    if hasattr(signal, name)
)
"""Those that this host has."""
