"""What `serve` refuses before it serves."""

import pytest

from readycheck.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--listen", "nowhere"], "--listen nowhere: not an address, or address:port"),
        (["--listen", "203.0.113.77:1"], "--listen: TCP port 1 of 203.0.113.77: "),
        (["--runs", "0"], "'--runs'"),
        (["--", "door"], "unexpected extra argument(s) (door)"),
        (["--", "--quick", "--"], "unexpected extra argument(s) (--quiet)"),
        (["--", "--no-such"], "No such option: --no-such"),
        (["--", "--deadline", "0"], "'--deadline'"),
        (["--", "-f", "json"], "--format: the exporter has one of its own"),
        (["--", "--profile-dir", "/nowhere"], "--profile-dir /nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 3
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err and told.err.count("\n") == 1
