"""What the product's clients can do at a proxy, against what it offers."""

from typing import Any

import pytest

from readycheck.diagnose.finding import Confidence, Owner, Severity, Where
from readycheck.failure import Failure
from readycheck.verdict import Judgement
from tests.unit.builders import SOURCE, Result, make_profile
from tests.unit.diagnose.proxied import CONFIG, OTHERS, PORTAL, PROXY, WEB, always, through


def client(product: str, *schemes: str, **more: Any) -> dict[str, Any]:
    row = {"product": product, "configuration": ["manual"], "authentication": schemes, "source": SOURCE}
    return {**row, **more}


PHONE = client("Phone", "none", "basic", "digest")
PANEL = client("Panel", "basic")
LAPTOP = client("Laptop", "none", "basic", "ntlm", "kerberos")
PBX = client("PBX", "basic", roles=["gateway"])
MUTE = client("Tablet")


def offered(*schemes: str, clients: list[dict[str, Any]], **facts: Any) -> Result:
    profile = make_profile(*OTHERS, WEB, PORTAL, CONFIG, proxies=clients)
    known = {"offered": schemes, "tried": None, **facts}
    failure = None if "login" in facts else Failure.PROXY_AUTH_REQUIRED
    return through(always((failure, known)), profile=profile)


def test_clients_that_cannot_log_in_are_named_with_what_they_can() -> None:
    found = offered("Negotiate", clients=[PHONE, PANEL, LAPTOP, PBX, MUTE]).only
    assert (found.cause, found.where, found.owner) == ("proxy-auth-unsupported", Where.SITE, Owner.PROXY)
    assert (found.confidence, found.severity) == (Confidence.LIKELY, Severity.BLOCKING)
    assert found.affects == ("web", "portal", "config")
    assert found.explains == ("proxy-auth-required",)
    assert found.summary == (
        f"The proxy {PROXY} wants a login by Negotiate. "
        "Phone and Panel cannot do that (they can do Basic and Digest); Laptop can."
    )
    assert found.remedy == (
        "Offer Basic as well, or let the product's names pass without a login for Phone and Panel."
    )


def test_it_is_found_although_this_host_got_through() -> None:
    found = offered("NTLM", clients=[PHONE], login="NTLM")
    assert (found.only.cause, found.only.severity) == ("proxy-auth-unsupported", Severity.DEGRADING)
    assert found.statuses()["web"] is Judgement.PASS


@pytest.mark.parametrize(
    ("schemes", "clients"),
    [
        (("NTLM", "Basic"), [PHONE, LAPTOP]),
        (("Negotiate",), [LAPTOP]),
        (("Negotiate",), []),
        (("Negotiate",), [MUTE]),
        (("Negotiate",), [PBX]),
        (("NTLM",), [client("Node", "basic", roles=[])]),
        ((), [PHONE]),
    ],
)
def test_clients_that_can_or_of_which_nothing_is_known(
    schemes: tuple[str, ...], clients: list[dict[str, Any]]
) -> None:
    assert offered(*schemes, clients=clients).causes == ["proxy-auth-required"]


def test_a_wrong_password_stays_one_and_the_clients_are_told_beside_it() -> None:
    found = offered("NTLM", clients=[PHONE], tried="NTLM").only
    assert found.cause == "proxy-auth-failed" and "proxy-auth-unsupported" in found.explains
    assert " Phone cannot do that (they can do Basic and Digest)." in found.summary


def test_many_clients_are_counted() -> None:
    summary = offered("NTLM", clients=[client(f"C{n}", "basic") for n in range(6)]).only.summary
    assert "C0, C1, C2, C3 and 2 more cannot do that" in summary
