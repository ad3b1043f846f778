"""Intervals in the words of cron and systemd."""

import re
import shutil
import subprocess
from itertools import pairwise

import pytest

from readycheck.errors import UsageError
from readycheck.schedule.calendar import of_cron, of_systemd, refuse_uneven

DAY_S = 86_400
EVEN = [60 * each for each in (1, 5, 10, 15, 30, 60, 120, 360, 720, 1440)]


def moments(line: str) -> list[int]:
    """The seconds of a day at which cron would run a line of these fields."""
    minute, hour, *rest = line.split()
    assert rest == ["*", "*", "*"]
    return [h * 3600 + m * 60 for h in values(hour, 24) for m in values(minute, 60)]


def values(field: str, end: int) -> range:
    if field == "*":
        return range(end)
    found = re.fullmatch(r"(\d+)(?:-(\d+)/(\d+))?", field)
    assert found, field
    if found[2] is None:
        return range(int(found[1]), int(found[1]) + 1)
    assert int(found[2]) == end - 1
    return range(int(found[1]), end, int(found[3]))


@pytest.mark.parametrize("every_s", EVEN)
def test_cron_keeps_interval_and_offset(every_s: int) -> None:
    for offset_s in (0, every_s // 2, every_s - 1):
        found = moments(of_cron(every_s, offset_s))
        assert found == list(range(offset_s // 60 * 60, DAY_S, every_s))


@pytest.mark.parametrize("text", ["7m", "90s", "45m", "5h", "16h", "90m"])
def test_what_no_calendar_has(text: str) -> None:
    seconds = int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]
    with pytest.raises(UsageError, match=f"--every {text}: not minutes that divide an hour"):
        refuse_uneven("--every", text, seconds)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
def test_systemd_reads_them() -> None:
    for every_s in EVEN:
        refuse_uneven("--every", "", every_s)
        asked = ["systemd-analyze", "calendar", "--iterations=3", of_systemd(every_s)]
        told = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        clocks = [
            int(h) * 3600 + int(m) * 60 + int(s) for h, m, s in re.findall(r"(\d\d):(\d\d):(\d\d) UTC", told)
        ]
        assert len(clocks) >= 3
        assert {(later - each) % DAY_S % every_s for each, later in pairwise(clocks)} <= {0}
        assert all(each % every_s == 0 for each in clocks)
