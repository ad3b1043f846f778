"""The environment as sentences."""

from readycheck.net.environment import Environment, FoundScript, Interface, ScriptAnswer
from readycheck.net.interface import Capability
from readycheck.render.surroundings import facts

from . import factory


def test_what_is_known_is_told() -> None:
    told = dict(facts(factory.environment()))
    assert told["host"] == "desk-7, Linux-6.1, Python 3.11.7"
    assert told["interface"] == "wlan0 (Wi-Fi, the way out), 10.1.2.3, fe80::1, MTU 1500, signal -61 dBm"
    assert told["resolvers"] == "10.1.2.1, 9.9.9.9"
    assert told["proxies"] == "http://proxy.corp:3128 for https (environment)"
    assert told["may use"] == "hop limit, icmp errors"


def test_a_proxy_script_is_told_with_its_answers() -> None:
    hosts = tuple(f"h{n}.example" for n in range(9))
    script = FoundScript(
        place="http://wpad.corp/wpad.dat",
        source="DHCP option 252",
        answers=(
            ScriptAnswer(text="PROXY p:1; DIRECT", via="p:1", hosts=hosts, number=12),
            ScriptAnswer(text="", hosts=("x",), number=1, error="ReferenceError: \x1b[31m"),
        ),
    )
    told = list(facts(factory.environment(script=script)))
    assert ("proxy script", "http://wpad.corp/wpad.dat (DHCP option 252)") in told
    assert [text for label, text in told if label == "its answer"] == [
        "PROXY p:1; DIRECT (p:1) for h0.example, h1.example, h2.example, h3.example and 8 more",
        "ReferenceError: ?[31m (direct) for x",
    ]


def test_each_lost_capability_is_a_sentence() -> None:
    lost = [text for label, text in facts(factory.environment()) if label == "limit"]
    assert [text.split(":")[0] for text in lost] == ["no raw sockets", "no kernel time stamps"]
    everything = factory.environment(capabilities=tuple(Capability))
    assert "limit" not in dict(facts(everything))


def test_nothing_known_is_told_too() -> None:
    told = dict(facts(Environment(host="", platform="")))
    assert told["host"] == "not known"
    assert told["resolvers"] == "none is configured"
    assert told["gateway"] == "no default route is known"


def test_the_way_out_comes_first_and_many_links_are_bounded() -> None:
    links = tuple(Interface(name=f"eth{n}") for n in range(40))
    environment = factory.environment(interfaces=links, default_interface="eth39")
    told = [text for label, text in facts(environment) if label == "interface"]
    assert told[0].startswith("eth39")
    assert told[-1] == "and 28 more"
