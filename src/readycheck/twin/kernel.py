"""The few Linux calls that the twin is built on; nothing here needs root."""

import ctypes
import os
import shutil
import signal

CLONE_NEWNS = 0x0002_0000
CLONE_NEWUSER = 0x1000_0000
CLONE_NEWPID = 0x2000_0000
CLONE_NEWNET = 0x4000_0000
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 0x4_0000

CAP_NET_RAW = 13

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITY_VERSION_3 = 0x2008_0522
_TUNSETIFF = 0x4004_54CA
_IFF_TUN_NO_PI = 0x1001
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def tool(name: str) -> str | None:
    """Where a program is; an ordinary user's PATH lacks the sbin directories."""
    return shutil.which(name) or shutil.which(name, path=_SBIN)


def die_with(parent: int) -> None:
    """Be killed when `parent` dies, which must be the process that started this one."""
    _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    # The parent may have died before the request was made; 0 is a parent outside this PID namespace.
    if os.getppid() not in (parent, 0):
        raise SystemExit(3)


def enter_user_world() -> None:
    """Become root of new user, network, mount and PID namespaces; the last holds for children only."""
    user, group = os.geteuid(), os.getegid()
    _check(_libc().unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID), "unshare")
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"0 {user} 1")
    _write("/proc/self/gid_map", f"0 {group} 1")
    mount(None, "/", None, MS_REC | MS_PRIVATE)


def new_network() -> int:
    """A descriptor of a new network namespace, which is then the current one."""
    _check(_libc().unshare(CLONE_NEWNET), "unshare")
    return current_network()


def current_network() -> int:
    return os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def enter_network(namespace: int) -> None:
    _check(_libc().setns(namespace, CLONE_NEWNET), "setns")


def mount(source: str | None, target: str, kind: str | None, flags: int = 0, data: str | None = None) -> None:
    words = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    _check(_libc().mount(words[0], words[1], words[2], flags, words[3]), f"mount {kind or 'on'} {target}")


def drop_privileges(*, keep_raw: bool) -> None:
    """Give up every capability and the way back to them; the next exec completes it.

    With `keep_raw`, CAP_NET_RAW stays, as an ambient capability only.
    """
    if keep_raw:
        # Before the bounding set goes, which limits what may become inheritable.
        _inherit(CAP_NET_RAW)
    capability = 0
    while _known(capability):
        _prctl(_PR_CAPBSET_DROP, capability)
        capability += 1
    if keep_raw:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, CAP_NET_RAW)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def open_tun(name: str) -> int:
    """A descriptor that reads and writes the packets of a new TUN interface of this network namespace."""
    import fcntl
    import struct

    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN_NO_PI))
    return descriptor


def _inherit(capability: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    # Effective, permitted, inheritable for capabilities 0 to 31, then for 32 to 63.
    data = (ctypes.c_uint32 * 6)()
    _check(_libc().capget(header, data), "capget")
    data[2] |= 1 << capability
    _check(_libc().capset(header, data), "capset")


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _known(capability: int) -> bool:
    try:
        _prctl(_PR_CAPBSET_READ, capability)
    except OSError:
        return False
    return True


def _prctl(*arguments: int) -> None:
    padded = (*arguments, 0, 0, 0, 0)[:5]
    _check(_libc().prctl(*(ctypes.c_ulong(value) for value in padded)), "prctl")


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
