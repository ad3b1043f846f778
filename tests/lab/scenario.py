"""The named networks of the fault matrix, read from `scenarios/*.toml`: what is broken, and what is true of it."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from pydantic import TypeAdapter, ValidationError

from readycheck.diagnose.causes import CAUSES
from readycheck.profile import Profile
from readycheck.score import Grade
from readycheck.twin.offer import Offer, read_offer

from .cloud import RESPONDER, CloudMode
from .row import RowMode

FOLDER = Path(__file__).with_name("scenarios")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "blocks": (
        "udp-blocked",
        "udp-return-blocked",
        "port-blocked",
        "port-rejected",
        "subnet-blocked",
        "address-blocked",
        "rtp-range-partial",
        "site-offline",
        "host-firewall",
    ),
    "tls": (
        "tls-inspection",
        "tls-version",
        "tls-cipher",
        "sni-filter",
        "certificate-expired",
        "certificate-untrusted",
        "certificate-name-mismatch",
        "certificate-chain-incomplete",
    ),
    "names": ("dns-unreachable", "dns-filter", "dns-hijack", "dns-tcp-blocked"),
    "proxies": (
        "proxy-required",
        "proxy-auth-required",
        "proxy-auth-failed",
        "proxy-auth-unsupported",
        "proxy-denies",
        "proxy-unreachable",
        "proxy-breaks-websocket",
        "pac-error",
    ),
}
"""What `@blocks` and the like stand for in `forbid`: the causes that accuse somebody in the same way."""
_VARIABLE = re.compile(r"\$(\w+)(?:\(([^)]*)\))?")


class ScenarioError(Exception):
    """A file of scenarios is wrong."""


@dataclass(frozen=True, kw_only=True)
class Truth:
    """A finding that must be there: one of `causes`, at one of the places `where`, with `words` in its summary.

    The first of `causes` is the right answer; others are as right, because the evidence cannot tell them apart, and
    the scenario's `alike` says why. `affects` are requirements that it must name, in the scenario's own profile.
    `guess` says that `possible` is the best that the evidence can decide.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    causes: tuple[str, ...]
    where: tuple[str, ...]
    words: str = ""
    affects: tuple[str, ...] = ()
    guess: bool = False


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A network, and the truth about it.

    `exits` are the exit statuses that are right. `forbid` are causes that would be wrong in any confidence; whatever
    is not in `expect` is wrong when it is likely or certain. `allow` are causes that may be named or not: they are
    true of this network too, and beside the point. `media` is what the score may call media. `impatient` runs wait
    seconds for what a NAT or a firewall forgets, where the product needs minutes (`impatience.py`). `beyond` says why
    the program does not come to the right answer yet: the truth stands all the same. `also` are other profiles that
    the matrix tries it against.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}

    name: str
    topic: str
    ci: bool = False
    profile: str = "webex-calling"
    also: tuple[str, ...] = ()
    network: RowMode = field(default_factory=RowMode)
    cloud: CloudMode = field(default_factory=CloudMode)
    arguments: tuple[str, ...] = ()
    impatient: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    exits: tuple[int, ...] = (0,)
    expect: tuple[Truth, ...] = ()
    forbid: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    media: tuple[Grade, ...] = ()
    why: str = ""
    alike: str = ""
    beyond: str = ""

    @property
    def is_timed(self) -> bool:
        """Streams to a responder, of which each packet has its moment: a busy host is late itself."""
        return self.cloud.responder


@cache
def scenarios(folder: Path = FOLDER) -> tuple[Scenario, ...]:
    """All of them, by file and in the order of the file."""
    found = tuple(one for path in sorted(folder.glob("*.toml")) for one in read(path))
    names = [one.name for one in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ScenarioError(f"{folder}: two scenarios are called {', '.join(sorted(twice))}")
    return found


def read(path: Path) -> Iterator[Scenario]:
    for name, table in tomllib.loads(path.read_text()).items():
        try:
            made = TypeAdapter(Scenario).validate_python({**table, "name": name, "topic": path.stem})
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(map(str, first["loc"]))
            raise ScenarioError(f"{path.name}: {name}: {key}: {first['msg']}") from None
        _require_sense(path, made)
        yield replace(made, forbid=tuple(_spread(path, made)))


def _require_sense(path: Path, made: Scenario) -> None:
    named = {cause for truth in made.expect for cause in truth.causes} | set(made.allow)
    unknown = named - set(CAUSES)
    if unknown:
        raise ScenarioError(f"{path.name}: {made.name}: no cause is called {', '.join(sorted(unknown))}")
    if any(len(truth.causes) > 1 for truth in made.expect) and not made.alike:
        raise ScenarioError(f"{path.name}: {made.name}: alike: must say why several causes are right")
    if made.impatient and {made.profile, *made.also} != {"webex-calling"}:
        raise ScenarioError(f"{path.name}: {made.name}: impatient: is of webex-calling alone")
    if lost := {*made.network.settings} - {"client", *made.network.routers}:
        raise ScenarioError(
            f"{path.name}: {made.name}: network.settings: {', '.join(sorted(lost))} is not in the row"
        )


def _spread(path: Path, made: Scenario) -> Iterator[str]:
    """The forbidden causes, groups replaced by their members, without those that are expected."""
    right = {cause for truth in made.expect for cause in truth.causes}
    for word in made.forbid:
        members = GROUPS.get(word[1:], ()) if word.startswith("@") else (word,)
        if not members or not set(members) <= set(CAUSES):
            raise ScenarioError(f"{path.name}: {made.name}: forbid: {word} is no cause and no group")
        yield from (cause for cause in members if cause not in right)


def fitted(scenario: Scenario, profile: Profile, addresses: Mapping[str, str]) -> Scenario:
    """The scenario with what its `$variables` stand for in this profile's world; raises LookupError without sense."""
    offer = read_offer(profile)

    def fill(text: str) -> str:
        return _VARIABLE.sub(lambda match: _value(match[1], match[2], offer, addresses), text)

    network = scenario.network
    return replace(
        scenario,
        network=replace(
            network,
            rules=tuple(replace(rule, text=fill(rule.text)) for rule in network.rules),
            boxes=tuple(replace(box, lines=tuple(map(fill, box.lines))) for box in network.boxes),
        ),
        arguments=tuple(map(fill, scenario.arguments)),
        expect=tuple(replace(truth, words=fill(truth.words)) for truth in scenario.expect),
    )


def _value(name: str, argument: str | None, offer: Offer, addresses: Mapping[str, str]) -> str:
    match name:
        case "media":
            return _braced(f"{low}-{high}" if low != high else f"{low}" for low, high in offer.media)
        case "port":
            return str(offer.vital[0])
        case "networks":
            return _braced(offer.networks)
        case "responder":
            return RESPONDER
        case "ip":
            return addresses[argument or ""]
    raise LookupError(f"${name} stands for nothing")


def _braced(parts: Any) -> str:
    listed = ", ".join(parts)
    if not listed:
        raise LookupError("this profile has none")
    return f"{{ {listed} }}"
