"""The agent on remapped loopback addresses, with a program that stands in for it."""

import json
import sys
from pathlib import Path

import pytest

from readycheck.profile import Profile
from readycheck.twin import loopback
from readycheck.twin.scenarios import SCENARIOS

AGENT = """
import json, os, sys
from pathlib import Path
options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
told = {
    "argv": sys.argv[2:3],
    "roots": Path(options["--trust-roots"]).read_text(),
    "remap": json.loads(Path(options["--remap"]).read_text()),
    "fence": os.environ.get("READYCHECK_LOOPBACK_ONLY"),
    "proxy": os.environ.get("https_proxy"),
}
Path(sys.argv[1]).write_text(json.dumps(told))
raise SystemExit(2)
"""


def test_the_agent_is_told_where_and_whom_to_trust(
    profile: Profile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    file = tmp_path / "told.json"
    agent = [sys.executable, "-c", AGENT, str(file)]
    assert loopback.run(profile, ["run"], scenario=SCENARIOS["udp-blocked"], seed=5, agent=agent) == 2
    told = json.loads(file.read_text())
    assert told["argv"] == ["run"] and "BEGIN CERTIFICATE" in told["roots"]
    assert told["fence"] == "1" and told["proxy"] is None
    assert told["remap"]["blueprint"]["seed"] == 5 and told["remap"]["blueprint"]["rules"]


def test_an_agent_that_was_killed_leaves_the_verdict_unknown(profile: Profile) -> None:
    agent = [sys.executable, "-c", "import os, signal; os.kill(os.getpid(), signal.SIGTERM)"]
    assert loopback.run(profile, [], scenario=SCENARIOS["none"], seed=1, agent=agent) in (3, 1)
