"""Digest, by the examples of the standard."""

import re

import pytest

from readycheck.net.challenge import parse
from readycheck.net.digest import Request, respond, strength

PAGE = Request("GET", "/dir/index.html")
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
OPAQUE = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"


def told(
    challenge: str, *, user: str = "Mufasa", password: str = "Circle of Life", **more: str
) -> dict[str, str]:
    (found,) = parse([challenge])
    text = respond(found.params, user, password, more.pop("request", PAGE), **{"cnonce": CNONCE, **more})  # type: ignore[arg-type]
    scheme, _, rest = text.partition(" ")
    assert scheme == "Digest"
    return {k: v.strip('"') for k, v in re.findall(r'([a-z*]+)=("(?:[^"\\]|\\.)*"|[^,]+)', rest)}


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_the_standard(algorithm: str, response: str) -> None:
    """RFC 7616 section 3.9.1."""
    wanted = f'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={algorithm}'
    found = told(f'{wanted}, nonce="{NONCE}", opaque="{OPAQUE}"')
    assert found == {
        "username": "Mufasa",
        "realm": "http-auth@example.org",
        "nonce": NONCE,
        "uri": "/dir/index.html",
        "response": response,
        "algorithm": algorithm,
        "opaque": OPAQUE,
        "qop": "auth",
        "nc": "00000001",
        "cnonce": CNONCE,
    }


def test_a_name_that_is_hidden() -> None:
    """RFC 7616 section 3.4.4."""
    wanted = 'Digest realm="api@example.org", qop="auth", algorithm=SHA-256, nonce="n", charset=UTF-8'
    found = told(f"{wanted}, userhash=true", user="J\u00e4s\u00f8n Doe", password="Secret, or not?")
    assert found["userhash"] == "true" and re.fullmatch("[0-9a-f]{64}", found["username"])
    plain = told(wanted, user="J\u00e4s\u00f8n Doe", password="Secret, or not?")
    assert plain["username*"] == "UTF-8''J%C3%A4s%C3%B8n%20Doe" and "username" not in plain
    assert plain["response"] == found["response"]


def test_the_old_way_without_a_quality_of_protection() -> None:
    """RFC 2069 section 2.4, as its errata have it."""
    found = told(
        'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
        password="CircleOfLife",
    )
    assert found["response"] == "1949323746fe6a43ef61f9606e7febea"
    assert not {"qop", "nc", "cnonce", "algorithm"} & set(found)


def test_a_session_binds_the_password_to_its_nonces() -> None:
    plain = told('Digest realm="r", nonce="n", qop=auth, algorithm=MD5')
    session = told('Digest realm="r", nonce="n", qop=auth, algorithm=MD5-sess')
    assert plain["response"] != session["response"] and session["algorithm"] == "MD5-sess"
    assert "cnonce" in told('Digest realm="r", nonce="n", algorithm=MD5-sess')


def test_quotes_are_escaped_and_nonces_differ() -> None:
    (found,) = parse(['Digest realm="a \\"b\\"", nonce="n", qop="auth-int"'])
    answers = {respond(found.params, 'u"ser', "p", PAGE) for _ in range(2)}
    assert len(answers) == 2
    assert all(
        'realm="a \\"b\\""' in one and 'username="u\\"ser"' in one and "qop=auth-int" in one
        for one in answers
    )


@pytest.mark.parametrize(
    ("challenge", "rank"),
    [
        ("Digest nonce=n, algorithm=sha-256-sess", 1),
        ("Digest nonce=n", 2),
        ("Digest nonce=n, algorithm=SHA-9", None),
        ('Digest nonce=n, qop="other"', None),
    ],
)
def test_strength(challenge: str, rank: int | None) -> None:
    assert strength(parse([challenge])[0].params) == rank
