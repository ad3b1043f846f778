"""Who may ask: by the web configuration file, of which nothing is taken for understood that is not."""

import asyncio
import ssl
from base64 import b64encode
from http import HTTPStatus
from pathlib import Path

import pytest

from readycheck.errors import UsageError
from readycheck.twin.certificates import KEY_FILE, ROOT_FILE, utc_now, write_certificates
from readycheck.web import server as module
from readycheck.web.access import Access, read_access
from readycheck.web.server import Answer, Request, Server
from tests.unit.web.test_server import close, serving

bcrypt = pytest.importorskip("bcrypt")
HASH = bcrypt.hashpw(b"geh:eim", bcrypt.gensalt(4)).decode()
USERS = {"prom": HASH, "y": HASH.replace("$2b$", "$2y$")}


def basic(name: str, password: str, scheme: str = "Basic") -> str:
    return f"{scheme} {b64encode(f'{name}:{password}'.encode()).decode()}"


@pytest.mark.parametrize(
    ("told", "admitted"),
    [
        (basic("prom", "geh:eim"), True),
        (basic("y", "geh:eim", "basic"), True),  # as htpasswd writes it
        (basic("prom", "geh:eim "), False),
        (basic("nobody", "geh:eim"), False),
        (basic("prom", "x" * 100), False),
        (basic("prom", "geh:eim", "Bearer"), False),
        ("Basic geheim", False),
        ("Basic /w==", False),
        ("Basic", False),
        ("", False),
    ],
)
async def test_a_login(told: str, admitted: bool) -> None:
    access = Access(users=USERS)
    assert [await access.admits(told) for _ in range(2)] == [admitted] * 2


async def test_where_nobody_is_named_everybody_may_ask() -> None:
    assert await Access().admits("")


async def test_a_hash_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a processor for a tenth of a second, and Prometheus asks for ever."""
    access = Access(users=USERS)
    assert await access.admits(basic("prom", "geh:eim"))
    monkeypatch.setattr(bcrypt, "checkpw", None)
    assert await access.admits(basic("prom", "geh:eim"))


async def test_a_hash_is_worked_out_once_for_all_who_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    access = Access(users=USERS)
    checked: list[bytes] = []

    def check(password: bytes, hashed: bytes) -> bool:
        checked.append(hashed)
        return True

    monkeypatch.setattr(bcrypt, "checkpw", check)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(access.admits(basic("prom", "geh:eim"))) for _ in range(5)]
    assert all(each.result() for each in asked) and len(checked) == 1


async def test_a_name_that_is_not_known_takes_as_long_as_one_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    dear = HASH.replace("$04$", "$12$")
    checked: list[bytes] = []
    monkeypatch.setattr(bcrypt, "checkpw", lambda password, hashed: checked.append(hashed))
    for name in ("nobody", "dear"):
        await Access(users={"cheap": HASH, "dear": dear}).admits(basic(name, "x"))
    assert checked == [dear.encode()] * 2


def configured(folder: Path, text: str) -> Path:
    (folder / "web.yml").write_text(text)
    return folder / "web.yml"


def test_logins_alone(tmp_path: Path) -> None:
    access = read_access(configured(tmp_path, f"basic_auth_users:\n  prom: {HASH}\n"))
    assert access.tls is None and access.users == {"prom": HASH}
    assert HASH not in repr(access)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tls_server_config: {cert_file: a.pem}", "tls_server_config.key_file: missing"),
        ("tls_server_config: {cert_file: a.pem, key_file: a.pem}", "tls_server_config: No such file"),
        ("tls_server_config: {cert_file: web.yml, key_file: web.yml}", "not a certificate and its key"),
        ("tls_server_config: {client_ca_file: ca.pem}", "tls_server_config.client_ca_file: not known here"),
        ("tls_server_config: 7", "tls_server_config: not a table"),
        ("http_server_config: {http2: true}", "http_server_config: not known here"),
        ("basic_auth_users: [prom]", "basic_auth_users: not a table"),
        ("basic_auth_users: {prom: geheim}", "basic_auth_users.prom: not a bcrypt hash"),
        ("basic_auth_users: {1: geheim}", "basic_auth_users.1: not a bcrypt hash"),
        ("", "tls_server_config or basic_auth_users: nothing is there, and nobody would be kept out"),
        ("basic_auth_users:", "basic_auth_users: nothing is there, and nobody would be kept out"),
        ("basic_auth_users: {}\ntls_server_config:", "basic_auth_users: nothing is there"),
        ("- a", "not a table of tls_server_config and basic_auth_users"),
        ("a: [\nb: c", "not YAML, line 2"),
        ("a: \x01", "not YAML"),
        ("[" * 5000, "not YAML"),
        pytest.param(
            f"tls_server_config: {{}}\n{'#' * 100_000}\nbasic_auth_users: {{}}",
            "longer than 100000 bytes",
            id="cut off",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, why: str) -> None:
    path = configured(tmp_path, text)
    with pytest.raises(UsageError) as refused:
        read_access(path)
    assert str(refused.value).startswith(f"--web-config {path}: ")
    assert why in str(refused.value)
    assert "geheim" not in str(refused.value)


async def test_tls_gives_the_whole_of_a_long_answer(tmp_path: Path) -> None:
    """To its end, which TLS has to say."""
    write_certificates(tmp_path, ["exporter.example"], (), utc_now())
    text = f"tls_server_config: {{cert_file: good.pem, key_file: {KEY_FILE}}}"
    access = read_access(configured(tmp_path, text))
    assert access.tls and access.tls.minimum_version is ssl.TLSVersion.TLSv1_2

    async def long(request: Request) -> Answer:
        return Answer(HTTPStatus.OK, "x" * 1_000_000)

    served = Server(long, local=True, access=access)
    async with await asyncio.start_server(served.attend, "127.0.0.1", 0) as server:
        trust = ssl.create_default_context(cafile=tmp_path / ROOT_FILE)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trust, server_hostname="exporter.example"
        )
        writer.write(close().encode())
        assert (await reader.read()).endswith(b"\r\n\r\n" + b"x" * 1_000_000)
        writer.close()


async def test_who_never_greets_is_one_of_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others would take every file that this process may open."""
    monkeypatch.setattr(module, "CONNECTIONS", 1)
    async with serving(access=Access(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))) as connect:
        _, silent = await connect()
        reader, other = await connect()
        assert await reader.read() == b""
        silent.close()
        other.close()


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--web-config .*none\.yml: No such file"):
        read_access(tmp_path / "none.yml")
