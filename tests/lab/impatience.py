"""Webex Calling as somebody would have it who waits seconds where the product needs minutes."""

from pathlib import Path

_PROFILE = """
extends = "webex-calling"
schema_version = 1
name = "impatient"
title = "The ladder of seconds"
revision = "1"
checked = 2026-01-01

[[requirements]]
id = "nat-binding"
params = { ladder_s = [2, 7] }
limits = { binding_s = { warn = 7, fail = 1, higher = true, source = "the lab" } }

[[requirements]]
id = "nat-connection-timeout"
params = { ladder_s = [2, 7], upto_s = 7 }
limits = { idle_s = { warn = 7, higher = true, ended_by = "idle_died_s", source = "the lab" } }
"""


def impatient(folder: Path) -> str:
    """The path of such a profile in this folder, for everybody to read."""
    path = folder / "impatient.toml"
    path.write_text(_PROFILE)
    path.chmod(0o644)
    return str(path)
