"""What a scraper gets."""

import pytest

from readycheck.responder.figures import Figure, answer_scraper, render

TEXT = render([Figure("streams", "gauge", "Streams that are open.", 3)])


class Wire:
    """A channel that says what it is told to, and keeps what it hears."""

    def __init__(self, *said: bytes) -> None:
        self._said, self.heard = list(said), b""

    async def read(self) -> bytes:
        return self._said.pop(0) if self._said else b""

    async def write(self, data: bytes) -> None:
        self.heard += data


def test_a_figure_has_its_meaning_and_kind() -> None:
    assert TEXT == (
        "# HELP readycheck_responder_streams Streams that are open.\n"
        "# TYPE readycheck_responder_streams gauge\n"
        "readycheck_responder_streams 3\n"
    )


async def answered(*said: bytes) -> bytes:
    wire = Wire(*said)
    await answer_scraper(wire, lambda: TEXT)
    return wire.heard


async def test_the_page_is_served_whole() -> None:
    head, _, body = (await answered(b"GET /metrics HTTP/1.1\r\nHo", b"st: x\r\n\r\n")).partition(b"\r\n\r\n")
    assert body == TEXT.encode()
    assert head.startswith(b"HTTP/1.1 200 OK") and f"Content-Length: {len(body)}".encode() in head


async def test_a_head_has_no_body() -> None:
    assert (await answered(b"HEAD /metrics HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"400"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
        (b"x" * 9000, b"400"),
        (b"", b""),
    ],
)
async def test_anything_else_is_refused(request_: bytes, status: bytes) -> None:
    assert (await answered(request_))[9:12] == status
