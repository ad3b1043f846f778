"""Questions by UDP or ICMP: from targets to one socket for each address family."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace

from readycheck.probe import Effort, Endpoint, Net, NetError, Question, Schedule, Step, Target
from readycheck_probes.dialling import addresses, family_of

_PATIENCE_MS = {Effort.QUICK: 350.0, Effort.NORMAL: 1500.0}
"""With the last packet to a sampled address: a round trip around the world takes 300 ms."""

Making = Callable[[Target, Endpoint], Question]
"""Makes the question for a target, told which address of ours it is asked from."""


async def ask_all(
    net: Net,
    targets: Sequence[Target],
    question: Making,
    *,
    once: bool = False,
    echo: bool = False,
) -> None:
    """Ask every target at once; names are asked at their addresses.

    `once`: a sample gets one packet each. `echo`: in ICMP echo requests, not over UDP.
    """
    schedule = schedule_of(net, targets, once)
    located = await _locate(net, targets)
    async with asyncio.TaskGroup() as group:
        for family in (4, 6):
            asked = [target for target in located if family_of(target.address or "") == family]
            group.create_task(_ask_family(net, family, asked, question, schedule, echo))


async def _locate(net: Net, targets: Sequence[Target]) -> list[Target]:
    """The targets with their addresses; a name that does not resolve is left out, its failure recorded."""
    found = [target for target in targets if target.address is not None]

    async def visit(target: Target, there: Net) -> None:
        found.extend(replace(target, address=address) for address in await addresses(there, target))

    await net.each([target for target in targets if target.address is None], visit)
    return found


async def _ask_family(
    net: Net, family: int, targets: Sequence[Target], question: Making, schedule: Schedule, echo: bool
) -> None:
    if not targets:
        return
    open_socket = net.plain.open_echo if echo else net.plain.open_datagram
    try:
        datagrams = await open_socket(family=family)
    except NetError as error:
        _record_all(net, targets, error)
    else:
        with closing(datagrams):
            questions = [question(target, datagrams.local) for target in targets]
            await net.ask(datagrams, questions, schedule=schedule)


def schedule_of(net: Net, targets: Sequence[Target], once: bool) -> Schedule:
    """Sampled addresses stand for each other: fewer packets and less patience, so that the sample can be larger."""
    if net.effort is Effort.THOROUGH or not all(target.network for target in targets):
        return net.schedule()
    if once:
        return Schedule((), _PATIENCE_MS[net.effort])
    return Schedule((200,), 200 + _PATIENCE_MS[net.effort]) if net.effort is Effort.QUICK else net.schedule()


def _record_all(net: Net, targets: Sequence[Target], error: NetError) -> None:
    # One family without a socket must not silence the targets of the other.
    for target in targets:
        with suppress(NetError), net.step(Step.ECHO, target):
            raise error
