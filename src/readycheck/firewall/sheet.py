"""Everything that a format prints: rules, what is left open, what is only listed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from readycheck.errors import UsageError
from readycheck.firewall.aggregate import absorb, aggregate, labelled
from readycheck.firewall.rules import (
    NAME_SERVERS,
    Known,
    Peer,
    Rule,
    lookups,
    ports_of,
    read_rules,
)
from readycheck.firewall.withdrawn import Closable, closable
from readycheck.net.address import is_network
from readycheck.profile import Importance, Profile, Role
from readycheck.references import placeholders

SPARE = (Importance.OPTIONAL, Importance.LEGACY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the administrator asked for.

    `everything` makes rules of what is optional or legacy, `internal` of what passes between segments;
    `any_name` opens ports to any destination where the profile has names, or words; empty interfaces are the
    platform's usual.
    """

    roles: tuple[str, ...] = ()
    known: Known = field(default_factory=Known)
    everything: bool = False
    internal: bool = False
    any_name: bool = False
    source_ports: bool = False
    withdrawn: bool = False
    lan: str = ""
    wan: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blank:
    """What only the customer can say, and the option that says it."""

    name: str
    title: str
    option: str
    needs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """`spare` is optional or legacy, `between` internal: both are shown and not in force.

    Rules that are not complete are among `rules`, and are shown and not in force either.
    """

    title: str
    name: str
    revision: str
    checked: date
    documents: tuple[str, ...]
    roles: tuple[str, ...]
    rules: tuple[Rule, ...]
    spare: tuple[Rule, ...]
    between: tuple[Rule, ...]
    blanks: tuple[Blank, ...]
    closable: tuple[Closable, ...]
    wish: Wish


def draw_up(profile: Profile, wish: Wish) -> Sheet:
    """Raises `UsageError` for what the wish names and the profile lacks."""
    roles = _roles(profile, wish)
    _refuse_unknown(profile, wish)
    read = tuple(read_rules(profile, roles, wish.known))
    found = [_as_wished(rule, wish) for rule in (*read, *lookups(read, wish.known))]
    _refuse_unfit(found, wish)
    between = [rule for rule in found if rule.direction == "internal" and not wish.internal]
    rest = [rule for rule in found if wish.internal or rule.direction != "internal"]
    kept = [rule for rule in rest if wish.everything or rule.importance not in SPARE]
    spare = [rule for rule in rest if not wish.everything and rule.importance in SPARE]
    rules, left = absorb(aggregate(kept), aggregate(spare))
    seen: dict[str, int] = {}
    rules, left, listed = (labelled(rows, seen) for rows in (rules, left, aggregate(between)))
    return Sheet(
        title=profile.title,
        name=profile.name,
        revision=profile.revision,
        checked=profile.checked,
        documents=tuple(
            f"{key} = {document.title}, {document.publisher}, revision {document.revision}"
            for key, document in profile.documents.items()
        ),
        roles=roles,
        rules=rules,
        spare=left,
        between=listed,
        blanks=tuple(_blanks(profile, (*rules, *left))),
        closable=closable(profile) if wish.withdrawn else (),
        wish=wish,
    )


def _roles(profile: Profile, wish: Wish) -> tuple[str, ...]:
    known = [role.name for role in profile.roles]
    for role in wish.roles:
        if role not in known:
            raise UsageError(f"--role {role}: profile '{profile.name}' has the roles {', '.join(known)}")
    return tuple(dict.fromkeys(wish.roles)) or profile.default_roles()


def _refuse_unknown(profile: Profile, wish: Wish) -> None:
    known = dict.fromkeys((*profile.placeholders, *_asked_for(profile)))
    for name in wish.known.values:
        if name not in known:
            words = ", ".join(known) or "nothing to be given"
            raise UsageError(f"--set {name}: profile '{profile.name}' has {words}")


def _asked_for(profile: Profile) -> Iterator[str]:
    """Everything that some rule of some role lacks, but for the name servers, which have an option of their own."""
    every = [role.name for role in profile.roles]
    for roles in (*([role] for role in every), every):
        for rule in read_rules(profile, roles, Known()):
            for blank in rule.blanks:
                yield from (name for name in placeholders(blank) if name != NAME_SERVERS)


def _refuse_unfit(rules: Iterable[Rule], wish: Wish) -> None:
    """Hosts of one's own are given by address, as a name may lead somewhere else tomorrow."""
    for host in {host for rule in rules for host in rule.hosts}:
        if not is_network(host) and not placeholders(host) and host in wish.known.values.values():
            name = next(name for name, value in wish.known.values.items() if value == host)
            raise UsageError(f"--set {name}={host}: hosts that are called are given by address or network")


def _as_wished(rule: Rule, wish: Wish) -> Rule:
    if not wish.source_ports:
        rule = replace(rule, source_ports=())
    if wish.any_name and rule.peer in (Peer.NAMES, Peer.WORDS) and rule.direction == "outbound":
        rule = replace(rule, peer=Peer.ANY, peers=())
    return rule


def _blanks(profile: Profile, rules: Sequence[Rule]) -> Iterator[Blank]:
    users: dict[str, list[str]] = {}
    for rule in rules:
        for blank in rule.blanks:
            for name in placeholders(blank) or (blank,):
                users.setdefault(name, []).extend(need.id for need in rule.needs)
    roles = {role.name: role for role in profile.roles}
    for name, needs in users.items():
        title, option = _asked(profile, name, roles.get(name))
        yield Blank(name=name, title=title, option=option, needs=tuple(dict.fromkeys(needs)))


def _asked(profile: Profile, name: str, role: Role | None) -> tuple[str, str]:
    """What a blank means, and the option that fills it."""
    if name in profile.placeholders:
        placeholder = profile.placeholders[name]
        example = f", such as {placeholder.example}" if placeholder.example else ""
        return f"{placeholder.title}{example}", f"--set {name}=VALUE"
    if name == NAME_SERVERS:
        return "the name servers that hosts of this site ask", "--resolver ADDRESS"
    if name in map(ports_of, (requirement.id for requirement in profile.requirements)):
        return "ports that the document leaves to you", f"--set {name}=PORTS"
    title = f": {role.title}" if role else ""
    return f"address or network of the hosts that are called{title}", f"--set {name}=ADDRESS"
