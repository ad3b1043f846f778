"""Asks TFTP servers for a file: its first block shows that they answer, and so does their error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from readycheck.probe import Endpoint, Metric, MetricValue, Net, Observation, Question, Step, Target
from readycheck.wire import tftp
from readycheck_probes.asking import ask_all
from readycheck_probes.hostile import tame
from readycheck_probes.tally import COMMON_METRICS, tally

_ENOUGH = tftp.pack_error(0, "one block is enough")


@dataclass(frozen=True, slots=True)
class TftpParams:
    """Servers, and the file to ask them for, which they need not have."""

    targets: tuple[Target, ...] = ()
    file: Annotated[str, Field(pattern=r"^[\x20-\x7e]{1,255}$")] = "readycheck.txt"


class TftpProbe:
    """A read request and the answer to it, from whichever port it comes (RFC 1350 section 4).

    A firewall or a translator on the way that does not follow TFTP keeps such an answer out: then there is
    silence, as there is for the phones behind it. Nothing is kept of the file.
    """

    name: ClassVar[str] = "tftp"
    title: ClassVar[str] = "TFTP read requests"
    Params: ClassVar[type[TftpParams]] = TftpParams
    metrics: ClassVar[tuple[Metric, ...]] = COMMON_METRICS
    proves: ClassVar[Step] = Step.ECHO

    async def measure(self, params: TftpParams, net: Net) -> None:
        await net.each(params.targets, partial(_visit, params.file))

    def summarize(self, observations: Sequence[Observation]) -> Mapping[str, MetricValue]:
        return tally(observations, self.proves, timed=Step.ECHO)


async def _visit(file: str, target: Target, net: Net) -> None:
    # On a socket of its own: only the address says whose answer it is.
    await ask_all(net, [target], partial(_question, file))


def _question(file: str, target: Target, _: Endpoint) -> Question:
    request = tftp.pack_read_request(file)
    return Question(target, lambda attempt: request, _recognise, any_port=True, farewell=_farewell)


def _recognise(data: bytes) -> Mapping[str, Any]:
    answer = tftp.unpack_answer(data)
    if isinstance(answer, tftp.Error):
        return {"answered_with": "error", "error_code": answer.code, "error": tame(answer.message)}
    if isinstance(answer, tftp.OptionAcknowledgement):
        return {"answered_with": "options"}
    if answer.block != 1:
        raise ValueError(f"the first TFTP block has the number {answer.block}")
    return {"answered_with": "data", "bytes": len(answer.payload)}


def _farewell(data: bytes) -> bytes | None:
    """Without an acknowledgement or an error a server sends its block again and again."""
    return None if tftp.is_error(data) else _ENOUGH
