"""WPAD: the place that the network names, and never a name that could be anybody's."""

import os
from pathlib import Path

import pytest

from readycheck.net.wpad import lease_url, names, search_domains

URL = "http://wpad.corp.example/wpad.dat"
HEXADECIMAL = URL.encode().hex()
COLONS = ":".join(f"{octet:02x}" for octet in (URL + "\n").encode())


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("var/lib/dhcp/dhclient.eth0.leases", f'lease {{\n  option wpad "{URL}";\n}}\n', URL),
        ("var/lib/dhcp/dhclient.eth0.leases", f'lease {{\n  option unknown-252 "{URL}\\000";\n}}\n', URL),
        ("var/lib/dhclient/dhclient.lease", f"lease {{\n  option unknown-252 {COLONS};\n}}\n", URL),
        ("run/systemd/netif/leases/2", f"ADDRESS=10.0.0.5\nOPTION_252={HEXADECIMAL}\n", URL),
        ("var/lib/NetworkManager/internal-1-eth0.lease", f"OPTION_252={HEXADECIMAL}00\n", URL),
        ("run/systemd/netif/leases/2", "ADDRESS=10.0.0.5\n", ""),
        ("run/systemd/netif/leases/2", "OPTION_252=0a\n", ""),
        ("run/systemd/netif/leases/2", f"OPTION_252={b'ftp://x/'.hex()}\n", ""),
        (
            "var/lib/dhcp/dhclient.leases",
            f'lease {{\n  option wpad "{URL}";\n}}\nlease {{\n  option routers 10.0.0.1;\n}}\n',
            "",  # the lease of before is another network's
        ),
    ],
)
def test_the_lease_may_name_a_script(tmp_path: Path, file: str, text: str, expected: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert lease_url(tmp_path) == expected


def test_the_newest_lease_counts(tmp_path: Path) -> None:
    folder = tmp_path / "run/systemd/netif/leases"
    folder.mkdir(parents=True)
    (folder / "2").write_text(f"OPTION_252={HEXADECIMAL}\n")
    (folder / "3").write_text("ADDRESS=10.0.0.5\n")
    os.utime(folder / "2", (1, 1))
    assert lease_url(tmp_path) == ""
    assert lease_url(tmp_path / "nowhere") == ""


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        (["corp.example"], ("wpad.corp.example",)),
        (["Eu.Corp.Example."], ("wpad.eu.corp.example",)),  # and not in corp.example
        (["a.example", "b.example", "c.example"], ("wpad.a.example", "wpad.b.example")),
        (["a.example", "a.example"], ("wpad.a.example",)),
        (["internal"], ("wpad.internal",)),
        (["com"], ()),
        (["network"], ()),  # a name that leaked became somebody's top-level domain
        (["local"], ()),
        (["co.uk"], ()),
        (["com.au"], ()),
        (["corp.co.uk"], ("wpad.corp.co.uk",)),
        (["."], ()),
        ([""], ()),
        (["a b"], ()),
        (["-x.example"], ()),
        (["evil.example/path"], ()),
    ],
)
def test_only_names_of_the_organisation_are_asked_for(domains: list[str], expected: tuple[str, ...]) -> None:
    assert names(domains) == expected


@pytest.mark.skipif(os.name == "nt", reason="there it is in the registry")
def test_the_domains_of_short_names(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    file = tmp_path / "etc/resolv.conf"
    assert search_domains(tmp_path) == ()
    file.write_text(
        "domain a.example\nnameserver 192.0.2.1\nsearch b.example c.example\n# search d.example\n"
    )
    assert search_domains(tmp_path) == ("b.example", "c.example")
