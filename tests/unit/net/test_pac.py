"""Proxy scripts: good ones, odd ones, broken ones, and those that would do harm."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest

from readycheck.net import pac
from readycheck.net.pac import Answer, EngineMissing, NotInTime, PacError, Question, evaluate, read_answer
from readycheck.net.proxy import ProxyUrl

NAMES = {"inside.corp": ("10.1.2.3",), "phones.example": ("192.0.2.5",)}
PHONES, INSIDE = (
    Question("https://phones.example/", "phones.example"),
    Question("http://inside.corp/", "inside.corp"),
)
NOW = "2026-01-02T12:30:00+00:00"


def script(body: str) -> str:
    return f"function FindProxyForURL(url, host) {{\n  {body}\n}}"


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that runs many tests at once may take long to start a process."""
    for name, limit_s in (("_START_S", 20.0), ("SCRIPT_S", 10.0), ("TOTAL_S", 30.0)):
        monkeypatch.setattr(pac, name, limit_s)


async def resolve(host: str) -> Sequence[str]:
    return NAMES.get(host, ())


async def ask(text: str, *questions: Question) -> tuple[Answer, ...]:
    return await evaluate(text, questions or (PHONES, INSIDE), resolve, own=("192.168.7.8",), now=NOW)


GOOD = {
    "direct": ("return 'DIRECT';", ["DIRECT", "DIRECT"]),
    "one proxy": ("return 'PROXY proxy.corp:3128';", ["PROXY proxy.corp:3128"] * 2),
    "by domain": (
        "return dnsDomainIs(host, '.corp') ? 'DIRECT' : 'PROXY p:1';",
        ["PROXY p:1", "DIRECT"],
    ),
    "by scheme": ("return url.substring(0, 5) == 'http:' ? 'DIRECT' : 'PROXY p:1';", ["PROXY p:1", "DIRECT"]),
    "by network": (
        "return isInNet(host, '10.0.0.0', '255.0.0.0') ? 'DIRECT' : 'PROXY p:1';",
        ["PROXY p:1", "DIRECT"],
    ),
    "by resolving": ("return isResolvable('no.such') ? 'PROXY a:1' : 'PROXY b:1';", ["PROXY b:1"] * 2),
    "by own address": ("return 'PROXY p' + myIpAddress().split('.')[3] + ':1';", ["PROXY p8:1"] * 2),
    "by pattern": ("return shExpMatch(url, 'https://*') ? 'PROXY p:1' : 'DIRECT';", ["PROXY p:1", "DIRECT"]),
    "by time": ("return timeRange(8, 18, 'GMT') ? 'PROXY day:1' : 'DIRECT';", ["PROXY day:1"] * 2),
    "by date": ("return dateRange(1, 'JAN', 31, 'JAN', 'GMT') ? 'PROXY p:1' : 'DIRECT';", ["PROXY p:1"] * 2),
    "by weekday": ("return weekdayRange('MON', 'FRI', 'GMT') ? 'PROXY p:1' : 'DIRECT';", ["PROXY p:1"] * 2),
    "with alert": ("alert('hello'); return 'DIRECT';", ["DIRECT"] * 2),
}
ODD = {
    "empty": ("return '';", ["", ""]),
    "modern": (
        "const {length} = [...host]; return `PROXY p:${length}`;",
        ["PROXY p:14", "PROXY p:11"],
    ),
    "with state": (
        "globalThis.n = (globalThis.n || 0) + 1; return 'PROXY p:' + n;",
        ["PROXY p:1", "PROXY p:2"],
    ),
    "of other letters": ("return host == '\u00fc' ? 'DIRECT' : 'PROXY p:1'; // caf\u00e9", ["PROXY p:1"] * 2),
    "catches": ("try { nosuch(); } catch (e) { return 'DIRECT'; }", ["DIRECT"] * 2),
    "asks often": ("for (var i = 0; i < 500; i++) dnsResolve('h' + i); return 'DIRECT';", ["DIRECT"] * 2),
}


@pytest.mark.parametrize("name", [*GOOD, *ODD])
async def test_an_answer_for_each_host(name: str) -> None:
    body, expected = {**GOOD, **ODD}[name]
    assert [answer.text for answer in await ask(script(body))] == expected


async def test_a_variable_may_hold_the_function() -> None:
    assert [a.text for a in await ask("var FindProxyForURL = (url, host) => 'DIRECT';", PHONES)] == ["DIRECT"]


BROKEN = {
    "syntax": ("function FindProxyForURL(url, host) {\n  return 'DIRECT'\n", "SyntaxError", 3),
    "a page": ("<html><body>Not found</body></html>", "SyntaxError", 1),
    "nothing": ("", "it has no function FindProxyForURL", None),
    "another function": ("function findProxyForURL() {}", "it has no function FindProxyForURL", None),
    "no function": ("var FindProxyForURL = 'DIRECT';", "it has no function FindProxyForURL", None),
    "throws when read": ("\nnosuch();", "ReferenceError: nosuch is not defined", 2),
    "too deep to read": ("[" * 100_000, "RangeError", None),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_script_that_cannot_be_read(name: str) -> None:
    text, reason, line = BROKEN[name]
    with pytest.raises(PacError) as caught:
        await ask(text)
    assert caught.value.reason.startswith(reason)
    assert caught.value.line == line


FAILING = {
    "throws": ("return nosuch(host);", "ReferenceError: nosuch is not defined", 2),
    "throws a text": ("throw 'x';", "x", None),
    "answers nothing": ("if (host == 'other') return 'DIRECT';", "FindProxyForURL answers nothing", None),
    "answers a number": ("return 1;", "FindProxyForURL answers what is no text", None),
    "answers a promise": (
        "return Promise.resolve('DIRECT');",
        "FindProxyForURL answers what is no text",
        None,
    ),
    "answers at length": (
        "return 'DIRECT;'.repeat(1000);",
        "FindProxyForURL answers with 7000 characters",
        None,
    ),
    "a wrong pattern": ("return shExpMatch(host, '(') ? 'DIRECT' : '';", "shExpMatch: ", 2),
    "recursion": ("return FindProxyForURL(url, host);", "RangeError: Maximum call stack size exceeded", 2),
    "much memory": (
        "var a = []; while (true) a.push(new Array(100000).fill(1));",
        "it takes more memory than it may",
        2,
    ),
    "a long text": ("var s = 'x'; while (true) s += s;", "it takes more memory than it may", 2),
    "half a letter": ("return '\\ud800';", "'utf-8' codec", None),
    "a look for files": ("return require('fs').readFileSync('/etc/passwd');", "ReferenceError: require", 2),
}


@pytest.mark.parametrize("name", FAILING)
async def test_a_script_that_fails_at_a_host(name: str) -> None:
    body, reason, line = FAILING[name]
    (answer,) = await ask(script(body), PHONES)
    assert answer.text == ""
    assert answer.error.startswith(reason) or "too long" in answer.error
    assert answer.line == line or name in ("much memory", "a long text")


async def test_a_script_that_fails_at_one_host_serves_the_others() -> None:
    failed, served = await ask(script("if (host == 'phones.example') throw 'x'; return 'DIRECT';"))
    assert (failed.error, served.text) == ("x", "DIRECT")


async def test_a_script_that_fails_at_all_is_asked_no_further() -> None:
    hosts = [Question(f"https://h{i}/", f"h{i}") for i in range(200)]
    with pytest.raises(PacError) as caught:
        await ask(script("return nosuch();"), *hosts)
    assert (caught.value.reason, caught.value.line) == ("ReferenceError: nosuch is not defined", 2)


HOSTILE = {
    "endless": (script("while (true) {}"), "it runs for more than 0.3 s"),
    "endless when read": ("while (true) {}", "it runs for more than 1 s"),
    "endless in a pattern": (
        script("/(a+)+$/.test('a'.repeat(60) + '!'); return '';"),
        "it runs for more than 0.3 s",
    ),
    "endless in our pattern": (
        script("return shExpMatch('a'.repeat(60) + '!', '(a+)+') ? '' : 'x';"),
        "it runs for more than 0.3 s",
    ),
    "asks without end": (
        script("for (var i = 0; ; i++) dnsResolve('h' + i);"),
        "it looks up more than 1000 names for one answer",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_script_that_would_run_for_ever_is_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, reason = HOSTILE[name]
    # What does not end the script leaves it time, on a busy host, too.
    monkeypatch.setattr(pac, "SCRIPT_S", 0.3 if "0.3 s" in reason else 40.0)
    monkeypatch.setattr(pac, "_START_S", 1.0 if "1 s" in reason else 40.0)
    monkeypatch.setattr(pac, "TOTAL_S", 50.0)
    monkeypatch.setattr(pac, "_processor_s", iter((0.0, 50.0)).__next__)
    began = time.monotonic()
    with pytest.raises(PacError) as caught:
        await ask(text, *[Question(f"https://h{i}/", f"h{i}") for i in range(100)])
    assert caught.value.reason == reason
    assert time.monotonic() - began < 50


async def test_a_script_that_is_slow_for_each_of_many_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "TOTAL_S", 1.5)
    monkeypatch.setattr(pac, "_processor_s", iter((0.0, 9.0)).__next__)
    slow = script("var t = Date.now(); while (Date.now() - t < 200); return 'DIRECT';")
    with pytest.raises(PacError, match=r"^it needs more than 1.5 s for the product's hosts$"):
        await ask(slow, *[Question(f"https://h{i}/", f"h{i}") for i in range(100)])


async def test_without_work_of_its_own_a_script_is_not_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "SCRIPT_S", 0.2)
    monkeypatch.setattr(pac, "_processor_s", iter((5.0, 5.04)).__next__)
    with pytest.raises(NotInTime):
        await ask(script("while (true) {}"), PHONES)


async def test_work_is_what_the_child_has_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "SCRIPT_S", 0.5)
    before_s = pac._processor_s()
    with pytest.raises((PacError, NotInTime)):
        await ask(script("while (true) {}"), PHONES)
    assert pac._processor_s() - before_s > 0.05 or before_s < 0


async def test_fifty_megabytes_are_no_harm() -> None:
    with pytest.raises((PacError, NotInTime)):
        await ask("//" + "x" * (50 << 20))


async def test_what_is_cancelled_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[asyncio.subprocess.Process] = []
    start = pac._start

    async def noted() -> asyncio.subprocess.Process:
        started.append(await start())
        return started[-1]

    monkeypatch.setattr(pac, "_start", noted)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.4):
            await ask("while (true) {}")
    assert [process.returncode is not None for process in started] == [True]


def test_the_sandbox_inherits_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret@proxy")
    monkeypatch.setenv("TZ", "UTC")
    assert set(pac._surroundings()) <= {"PYTHONPATH", *pac._PASSED_ON}
    assert pac._surroundings()["TZ"] == "UTC"


async def test_without_an_engine_nothing_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pac, "find_spec", lambda name: None)
    with pytest.raises(EngineMissing):
        await ask(script("return 'DIRECT';"))


def proxy(host: str, port: int, scheme: str = "http") -> ProxyUrl:
    return ProxyUrl(scheme, host, port)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DIRECT", {"hops": (None,)}),
        ("", {"hops": (None,)}),
        (" ; ", {"hops": (None,)}),
        ("direct;", {"hops": (None,)}),
        ("PROXY a:3128; DIRECT", {"hops": (proxy("a", 3128), None)}),
        ("proxy a:3128;PROXY b", {"hops": (proxy("a", 3128), proxy("b", 80))}),
        ("HTTPS a; HTTP b:1", {"hops": (proxy("a", 443, "https"), proxy("b", 1))}),
        ("PROXY [2001:db8::1]:8080", {"hops": (proxy("2001:db8::1", 8080),)}),
        ("SOCKS5 s:1080; DIRECT", {"hops": (None,), "foreign": ("SOCKS5 s:1080",)}),
        ("SOCKS s:1080", {"foreign": ("SOCKS s:1080",)}),
        ("PROXY", {"trouble": "'PROXY'"}),
        ("PROXY http://a:3128", {"trouble": "'PROXY http://a:3128'"}),
        ("PROXY user:pw@a:3128", {"trouble": "'PROXY user:pw@a:3128'"}),
        ("PROXY a:99999", {"trouble": "'PROXY a:99999'"}),
        ("PROXY :3128", {"trouble": "'PROXY :3128'"}),
        ("a:3128", {"trouble": "'a:3128'"}),
        ("PROXY a, PROXY b", {"trouble": "'PROXY a, PROXY b'"}),
        ("QUIC a:443; DIRECT", {"hops": (None,), "trouble": "'QUIC a:443'"}),
    ],
)
def test_answers_are_read(text: str, expected: dict[str, Any]) -> None:
    assert read_answer(text) == pac.Ways(**expected)


def test_a_strange_answer_is_made_fit_for_a_line() -> None:
    assert read_answer("PROXY \x1b[31m\n").trouble == "'PROXY \ufffd[31m'"
