"""Which part of a range of ports some of its strata (`LOW-HIGH even`) make up, and the words for it. Pure."""

from collections.abc import Iterable, Set

from readycheck.notation import PortRange


def enclosed(candidates: Set[str], strata: Set[str]) -> set[str]:
    """Of the candidates those between the bounds of the strata."""
    if not candidates:
        return set()
    bounds = [_parse(label)[:2] for label in strata]
    low, high = min(lo for lo, _ in bounds), max(hi for _, hi in bounds)
    return {label for label in candidates if low <= _parse(label)[0] and _parse(label)[1] <= high}


def describe_part(declared: PortRange, blocked: Iterable[str], passed: Iterable[str]) -> str:
    """Say which part of a range the blocked strata (`LOW-HIGH even`) make up; of some nothing may be known."""
    hit, rest = {_parse(name) for name in blocked}, {_parse(name) for name in passed}
    low, high = min(lo for lo, _, _ in hit), max(hi for _, hi, _ in hit)
    parities, spared = {p for _, _, p in hit}, {p for _, _, p in rest}
    if len(parities) == 1 and any((lo, hi, p) in rest for lo, hi, _ in hit for p in spared):
        parity = min(parities)
        if parity in spared:
            return f"the {parity} ports of {low}-{high}"
        everywhere = (low, high) == (declared.low, declared.high)
        return f"the {parity} ports{'' if everywhere else f', as was seen in {low}-{high}'}"
    edge = "the lower part, " if low == declared.low else "the upper part, " if high == declared.high else ""
    return f"{edge}{low}-{high}"


def side_of(dropped: Set[int], passed: Set[int]) -> str:
    """The part of a range that one bound explains, where even and odd do not; empty when none does."""
    if {port % 2 for port in dropped}.isdisjoint(port % 2 for port in passed):
        return ""
    if min(dropped) > max(passed):
        return f"the upper part: {min(dropped)} is dropped while {max(passed)} passes"
    if max(dropped) < min(passed):
        return f"the lower part: {max(dropped)} is dropped while {min(passed)} passes"
    return ""


def _parse(name: str) -> tuple[int, int, str]:
    bounds, parity = name.split()
    low, high = bounds.split("-")
    return int(low), int(high), parity
