"""Nothing is lost, and nothing is sent twice, whatever happens in between."""

from pathlib import Path
from threading import Event

import pytest

from readycheck.alert import queue
from readycheck.alert.channel import DeliveryError
from readycheck.alert.decision import Message
from readycheck.diagnose.finding import Severity
from readycheck.regression.policy import DAY_S
from readycheck.render.files import write_lasting

NOW = 1_800_000_000.0


class Way:
    """A channel that keeps what it gets, or fails."""

    def __init__(self, broken: bool = False) -> None:
        self.id, self.name, self.broken = "way", "way://...", broken
        self.got: list[str] = []
        self.tries = 0

    def send(self, message: Message) -> None:
        self.tries += 1
        if self.broken:
            raise DeliveryError("no answer")
        self.got.append(message.id)


def message(name: str = "m1", moment: float = NOW, key: str = "k") -> Message:
    return Message(
        id=name, kind="raised", key=key, title="t", text="x", severity=Severity.BLOCKING, since=moment,
        moment=moment, site="", profile="p", run="r",
    )  # fmt: skip


def test_it_goes_once(tmp_path: Path) -> None:
    way = Way()
    for _ in range(3):
        queue.put(tmp_path, message(), "way", NOW)
        assert queue.deliver(tmp_path, {"way": way}, NOW) == []
    assert way.got == ["m1"]


def test_what_fails_is_kept_and_tried_ever_less_often(tmp_path: Path) -> None:
    way = Way(broken=True)
    queue.put(tmp_path, message(), "way", NOW)
    told = [queue.deliver(tmp_path, {"way": way}, NOW + 60.0 * minute) for minute in range(120)]
    assert way.tries == 7
    assert told[0] == ["--alert way://...: no answer; it is kept, and will be tried again"]
    way.broken = False
    assert queue.deliver(tmp_path, {"way": way}, NOW + DAY_S) == [] and way.got == ["m1"]


def test_the_oldest_goes_first(tmp_path: Path) -> None:
    way = Way()
    for name, moment in (("a", NOW + 2), ("b", NOW), ("c", NOW + 1)):
        queue.put(tmp_path, message(name, moment), "way", NOW)
    queue.deliver(tmp_path, {"way": way}, NOW + 3)
    assert way.got == ["b", "c", "a"]


def test_a_way_that_fails_holds_a_run_up_once(tmp_path: Path) -> None:
    """Each try may take ten seconds, and hundreds of messages may wait."""
    way, other = Way(broken=True), Way()
    for name in ("a", "b", "c"):
        queue.put(tmp_path, message(name, key=name), "way", NOW)
        queue.put(tmp_path, message(name, key=name), "other", NOW)
    (told,) = queue.deliver(tmp_path, {"way": way, "other": other}, NOW)
    assert "no answer" in told
    assert way.tries == 1 and other.got == ["a", "b", "c"]
    way.broken = False
    queue.deliver(tmp_path, {"way": way}, NOW + 60)
    assert sorted(way.got) == ["a", "b", "c"]


def test_no_end_of_a_trouble_arrives_before_its_beginning(tmp_path: Path) -> None:
    way = Way(broken=True)
    queue.put(tmp_path, message("begun"), "way", NOW)
    for minute in range(4):
        queue.deliver(tmp_path, {"way": way}, NOW + 60 * minute)
    queue.put(tmp_path, message("over", NOW + 240), "way", NOW + 240)
    queue.deliver(tmp_path, {"way": way}, NOW + 240)
    queue.put(tmp_path, message("of another", NOW + 300, key="other"), "way", NOW + 300)
    way.broken = False
    queue.deliver(tmp_path, {"way": way}, NOW + 300)
    assert way.got == ["begun", "over", "of another"]


def test_delivering_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "PATIENCE_S", -1.0)
    way = Way()
    queue.put(tmp_path, message(), "way", NOW)
    queue.deliver(tmp_path, {"way": way}, NOW)
    assert way.tries == 0 and list((tmp_path / "queue").iterdir())


def test_a_way_that_hangs_is_a_way_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the resolver of a host may."""
    monkeypatch.setattr(queue, "SEND_S", 0.01)
    way, ended = Way(), Event()
    monkeypatch.setattr(way, "send", lambda message: ended.wait(60))
    queue.put(tmp_path, message(), "way", NOW)
    (told,) = queue.deliver(tmp_path, {"way": way}, NOW)
    ended.set()
    assert "no end of it within 0 s; it is kept, and will be tried again" in told


def test_after_a_week_it_is_given_up_and_kept(tmp_path: Path) -> None:
    queue.put(tmp_path, message(), "way", NOW)
    (told,) = queue.deliver(tmp_path, {"way": Way(broken=True)}, NOW + 8 * DAY_S)
    assert "given up after 7 days" in told
    assert [file.name for file in (tmp_path / "failed").iterdir()] == ["m1-way.json"]


def test_a_clock_that_goes_back_holds_nothing_up(tmp_path: Path) -> None:
    way = Way(broken=True)
    queue.put(tmp_path, message(), "way", NOW)
    queue.deliver(tmp_path, {"way": way}, NOW)
    way.broken = False
    queue.deliver(tmp_path, {"way": way}, NOW - 30 * DAY_S)
    assert way.got == ["m1"]


def test_who_died_after_the_mark_does_not_send_again(tmp_path: Path) -> None:
    way = Way()
    queue.put(tmp_path, message(), "way", NOW)
    write_lasting(tmp_path / "sent" / "m1-way.json", f"{NOW}\n".encode())
    assert queue.deliver(tmp_path, {"way": way}, NOW) == []
    assert way.got == [] and not list((tmp_path / "queue").glob("*.json"))


@pytest.mark.parametrize("text", ["", "{", '{"message": 1}'])
def test_what_is_damaged_is_put_aside(tmp_path: Path, text: str) -> None:
    write_lasting(tmp_path / "queue" / "x.json", text.encode())
    assert queue.deliver(tmp_path, {}, NOW) == ["alerts: x.json is damaged, and was put aside"]
    assert queue.deliver(tmp_path, {}, NOW) == []


def test_nothing_secret_is_written(tmp_path: Path) -> None:
    queue.put(tmp_path, message(), "way", NOW)
    assert "https" not in (tmp_path / "queue" / "m1-way.json").read_text()


def test_marks_do_not_pile_up(tmp_path: Path) -> None:
    queue.put(tmp_path, message(), "way", NOW)
    queue.deliver(tmp_path, {"way": Way()}, NOW)
    queue.deliver(tmp_path, {}, NOW + 31 * DAY_S)
    assert not list((tmp_path / "sent").iterdir())
