"""`probe list`."""

import re

import pytest

from readycheck.__main__ import main


def test_every_probe_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["probe", "list"]) == 0
    told = capsys.readouterr().out
    names = re.findall(r"^([\w-]+)  \(readycheck [\d.]+\)  \w", told, re.MULTILINE)
    assert names == sorted(names)
    assert set("dns http icmp mtls ntp path rtp sip sni stun tcp tftp tls websocket".split()) <= set(names)
    for part in ("parameters: ", "metrics: ", "needs: "):
        assert told.count(part) == len(names)
    assert re.search(
        r"^dns .*\n    parameters: names, types, srv, gap_s\n    metrics: .*rtt_ms \[ms\]", told, re.MULTILINE
    )
