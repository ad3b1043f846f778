"""Hide from the stand-in world what would lead out of it, and prove that nothing does.

`python -m readycheck.twin.isolation` run in the client prints every way out that it finds; status 1 if any.
"""

import os
import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from readycheck.twin import kernel, topology

PRIVATE = tuple(map(Path, ("/dev/shm", "/mnt", "/run")))
"""The first of these that exists becomes a private memory disk, so that not even a crash leaves a file."""

_ETC = {
    Path("/etc/resolv.conf"): topology.resolv_conf(),
    Path("/etc/nsswitch.conf"): topology.NSSWITCH_CONF,
    Path("/etc/hosts"): topology.HOSTS,
}
_FOLDERS = (
    "/run/systemd/resolve",
    "/run/systemd/netif",
    "/run/NetworkManager",
    "/run/nscd",
    "/run/dbus",
    "/var/lib/NetworkManager",
    "/var/lib/dhcp",
    "/var/lib/dhclient",
    "/run/avahi-daemon",
    "/var/run/nscd",
    "/var/run/dbus",
)
_SOCKETS = (
    "/run/systemd/resolve/io.systemd.Resolve",
    "/run/nscd/socket",
    "/var/run/nscd/socket",
    "/run/dbus/system_bus_socket",
    "/var/run/dbus/system_bus_socket",
    "/run/avahi-daemon/socket",
)
_VARIABLES = frozenset(
    "http_proxy https_proxy ftp_proxy all_proxy no_proxy ws_proxy wss_proxy auto_proxy dbus_session_bus_address "
    "xdg_current_desktop dbus_system_bus_address localdomain res_options hostaliases "
    "readycheck_only_netns readycheck_loopback_only".split()
)


def clean_environment() -> dict[str, str]:
    """This process's variables without those that name a proxy, a bus, a way to resolve names or a fence.

    PYTHONPATH is this interpreter's whole path: a child finds what its parent found, also from a zipapp.
    """
    kept = {name: value for name, value in os.environ.items() if name.lower() not in _VARIABLES}
    return kept | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def told_to_follow(script: str, folder: Path) -> dict[str, str]:
    """The variable that names a proxy script in `folder`, which gets it; none without a script."""
    if not script:
        return {}
    file = folder / "proxy.pac"
    file.write_text(script, encoding="utf-8")
    return {"auto_proxy": str(file)}


def private_folder() -> Path:
    """Mount an empty memory disk that only this world sees."""
    place = next(path for path in PRIVATE if path.is_dir())
    kernel.mount("tmpfs", str(place), "tmpfs", 0, "mode=1777")
    return place


def hide_host(folder: Path) -> None:
    """Put this world's own name service configuration in place of the host's, and hide its resolvers."""
    hidden = {os.path.realpath(path) for path in _FOLDERS if os.path.isdir(path)}
    for place in hidden:
        kernel.mount("tmpfs", place, "tmpfs", 0, "mode=755")
    for bus in (bus for bus in _session_buses() if os.path.exists(bus)):
        kernel.mount("/dev/null", bus, None, kernel.MS_BIND)
    targets = {path: Path(os.path.realpath(path)) for path in _ETC}
    if not all(target.is_file() or _recreate(target, hidden) for target in targets.values()):
        _overlay_etc(folder)
    for path, text in _ETC.items():
        own = folder / path.name
        own.write_text(text, encoding="ascii")
        kernel.mount(str(own), os.path.realpath(path), None, kernel.MS_BIND)


def show_own_system() -> None:
    """Give this world its own /proc, and the /sys of the current network namespace, as far as allowed."""
    with suppress(OSError):
        kernel.mount("proc", "/proc", "proc")
    try:
        kernel.mount("sysfs", "/sys", "sysfs")
    except OSError:
        with suppress(OSError):
            kernel.mount("tmpfs", "/sys/class/net", "tmpfs")


def _session_buses() -> Iterator[str]:
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    yield from (part.partition("=")[2] for part in address.split(",") if part.startswith("unix:path="))
    with suppress(OSError):
        yield from (f"/run/user/{user}/bus" for user in os.listdir("/run/user"))


def _recreate(target: Path, hidden: Iterable[str]) -> bool:
    """A link into a folder that is hidden by now: the file goes to the memory disk over it."""
    if str(target.parent) not in hidden:
        return False
    target.touch()
    return True


def _overlay_etc(folder: Path) -> None:
    """A host without one of the files: creating it in place would write to the host's disk."""
    upper, work = folder / "etc", folder / "etc-work"
    upper.mkdir()
    work.mkdir()
    kernel.mount("overlay", "/etc", "overlay", 0, f"lowerdir=/etc,upperdir={upper},workdir={work}")
    for path in _ETC:
        if not path.is_file():
            path.unlink(missing_ok=True)
            path.touch()


def leaks() -> Iterator[str]:
    """Every way out of the world that can be seen from here, in words; nothing in a sound world."""
    for path, text in _ETC.items():
        if path.read_text(encoding="utf-8", errors="replace") != text:
            yield f"{path} is the host's"
    for name in (entry for _, entry in socket.if_nameindex() if entry not in ("lo", "eth0")):
        yield f"interface {name}"
    yield from (f"{path} answers" for path in (*_SOCKETS, *_session_buses()) if _answers(path))
    foreign = _VARIABLES - {"readycheck_only_netns"}
    yield from (f"variable {name}" for name in os.environ if name.lower() in foreign)
    if os.environ.get("READYCHECK_ONLY_NETNS") != str(os.stat("/proc/self/ns/net").st_ino):
        yield "not the network namespace that was made for this world"


def _answers(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as channel:
        try:
            channel.connect(path)
        except OSError:
            return False
    return True


if __name__ == "__main__":
    found = list(leaks())
    sys.stdout.write("".join(f"{leak}\n" for leak in found))
    raise SystemExit(bool(found))
