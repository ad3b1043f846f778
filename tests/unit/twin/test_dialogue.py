"""What the stand-in servers say on ports of their own, as the codecs of the agent read it."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from readycheck.twin.dialogue import DIALOGUES, SIP
from readycheck.wire import banner, ldap, xmpp


@pytest.mark.parametrize(
    ("protocol", "unpack"),
    [
        ("ssh", banner.unpack_ssh),
        ("smtp", banner.unpack_smtp),
        ("imap", banner.unpack_imap),
        ("imaps", banner.unpack_imap),
    ],
)
def test_greetings(protocol: str, unpack: Any) -> None:
    dialogue = DIALOGUES[protocol]
    assert unpack(dialogue.greeting) is not None
    assert dialogue.reply(b"anything\r\n") is None


@pytest.mark.parametrize("protocol", ["xmpp", "xmpp-tls"])
def test_a_stream_header_is_answered_when_it_is_whole(protocol: str) -> None:
    dialogue, request = DIALOGUES[protocol], xmpp.pack_header("im.example")
    assert (dialogue.greeting, dialogue.reply(request[:50])) == (b"", None)
    answer = dialogue.reply(request)
    assert answer is not None
    assert xmpp.unpack_header(answer) == xmpp.StreamHeader("twin.example", "1.0", "")


@pytest.mark.parametrize("protocol", ["ldap", "ldaps"])
def test_a_search_is_answered_when_it_is_whole(protocol: str) -> None:
    dialogue, request = DIALOGUES[protocol], ldap.pack_root_search(9)
    assert (dialogue.greeting, dialogue.reply(request[:20])) == (b"", None)
    answer = dialogue.reply(request)
    assert answer is not None
    assert ldap.unpack_message(answer) == ldap.LdapMessage(9, ldap.Operation.ENTRY)


def test_what_is_in_tls() -> None:
    secure = {protocol for protocol, dialogue in DIALOGUES.items() if dialogue.secure}
    assert secure == {"imaps", "ldaps", "xmpp-tls"}
    assert SIP not in DIALOGUES


@given(st.binary(max_size=100), st.sampled_from(sorted(DIALOGUES)))
def test_rubbish_ends_the_dialogue_at_worst(data: bytes, protocol: str) -> None:
    with suppress(ValueError):
        DIALOGUES[protocol].reply(data)
