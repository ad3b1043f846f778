"""A real PostgreSQL server for the tests: its own cluster, on a Unix socket alone, as an unprivileged user."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NOBODY = 65534
PASSWORD = "s3cr/et@:word"
_DEBIAN = Path("/usr/lib/postgresql")
_SETTINGS = (
    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=60"),
    *("-c", "shared_buffers=16MB", "-c", "log_min_messages=fatal"),
    *("-c", "wal_level=minimal", "-c", "max_wal_senders=0", "-c", "max_wal_size=64MB"),
)
_MEMORY, _ENOUGH_BYTES = Path("/dev/shm"), 500_000_000


def programs() -> Path | None:
    """The folder of the newest server; Debian keeps it off the PATH."""
    for folder in sorted(_DEBIAN.glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True):
        if (folder / "postgres").exists():
            return folder
    found = shutil.which("postgres")
    return Path(found).resolve().parent if found else None


def _folder() -> str:
    """In memory where there is room: a database is hundreds of files, to be made and removed for each test."""
    roomy = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES
    return str(_MEMORY) if roomy else "/tmp"


@contextmanager
def server(port: int) -> Iterator[Path]:
    """The folder of its socket; `readycheck` is its superuser, with PASSWORD where it comes over TCP."""
    folder = programs()
    assert folder is not None
    as_nobody: dict[str, Any] = (
        {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    with tempfile.TemporaryDirectory(prefix="pg-", dir=_folder()) as name:
        home = Path(name)
        (home / "password").write_text(PASSWORD, "utf-8")
        if as_nobody:
            for path in (home, home / "password"):
                os.chown(path, NOBODY, NOBODY)
        options = ("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={home}/password")
        command = [folder / "initdb", "-D", home / "data", "-U", "readycheck", "-E", "UTF8", "-N", *options]
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": name}
        subprocess.run(
            [*command, "--no-locale"],
            check=True,
            capture_output=True,
            cwd=name,
            env=environment,
            **as_nobody,
        )
        control = [folder / "pg_ctl", "-D", home / "data", "-w", "-s", "-l", home / "log"]
        flags = " ".join((*_SETTINGS, "-k", name, "-p", str(port)))
        subprocess.run([*control, "-o", flags, "start"], check=True, cwd=name, env=environment, **as_nobody)
        try:
            yield home
        finally:
            subprocess.run(
                [*control, "-m", "immediate", "stop"], check=True, cwd=name, env=environment, **as_nobody
            )
