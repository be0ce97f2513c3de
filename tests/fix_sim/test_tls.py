import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from fix_sim.__main__ import main
from fix_sim.config import Settings, read_settings
from fix_sim.errors import StartError
from fix_sim.tls import server_context
from msgspec.structs import replace

from tests.fix_sim.router import connected, logged_on, new_order, settings, simulator

CERTIFICATE = "our-certificate.pem"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA, tmp_path: Path) -> Settings:
    """A simulator with a certificate, its key in a file of its own."""
    own = authority.issue_cert("127.0.0.1")
    certificate, key = tmp_path / CERTIFICATE, tmp_path / "our-key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in own.cert_chain_pems))
    own.private_key_pem.write_to_path(key)
    return replace(settings(), tls_cert=str(certificate), tls_key=str(key))


@pytest.fixture
def demanding(secure: Settings, authority: trustme.CA, tmp_path: Path) -> Settings:
    authorities = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(authorities)
    return replace(secure, tls_client_ca=str(authorities))


def client(authority: trustme.CA, signed_by: trustme.CA | None = None) -> ssl.SSLContext:
    """Trusts ``authority``; has a certificate if somebody has signed it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if signed_by is not None:
        signed_by.issue_cert("fairlead@example.org").configure_cert(context)
    return context


async def test_orders_are_traded_over_tls(secure: Settings, authority: trustme.CA) -> None:
    async with simulator(secure) as up, logged_on(up, tls=client(authority)) as router:
        router.send("D", new_order("A"))
        assert await router.told(2) == ["8 A 00 0/100", "8 A F2 100/100"]


async def test_the_certificate_and_its_key_may_be_in_one_file(authority: trustme.CA, tmp_path: Path) -> None:
    both = tmp_path / CERTIFICATE
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(both)
    secure = replace(settings(), tls_cert=str(both))

    async with simulator(secure) as up, logged_on(up, tls=client(authority)):
        pass


async def test_who_has_the_certificate_that_is_demanded_gets_in(
    demanding: Settings, authority: trustme.CA
) -> None:
    async with simulator(demanding) as up, logged_on(up, tls=client(authority, authority)) as router:
        router.send("D", new_order("A"))
        assert await router.told(1) == ["8 A 00 0/100"]


@pytest.mark.parametrize("has_one", [False, True], ids=["none", "a stranger's"])
async def test_who_has_another_certificate_or_none_does_not_get_in(
    demanding: Settings, authority: trustme.CA, *, has_one: bool
) -> None:
    wrong = client(authority, trustme.CA() if has_one else None)
    async with simulator(demanding) as up:
        async with connected(up, tls=wrong) as router:  # TLS 1.3 tells the client when it reads
            assert await router.end() == []

        async with logged_on(up, tls=client(authority, authority)):
            pass


async def test_what_is_older_than_tls_1_2_does_not_get_in(secure: Settings, authority: trustme.CA) -> None:
    old = client(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    async with simulator(secure) as up:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("127.0.0.1", up.port, ssl=old)


async def test_who_speaks_in_the_clear_is_cut_off(secure: Settings) -> None:
    async with simulator(secure) as up:
        reader, writer = await asyncio.open_connection("127.0.0.1", up.port)
        writer.write(b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01")

        assert await reader.read() == b""
        writer.close()


# What is wrong with the settings.


def _with(wanted: Settings, name: str, value: Any) -> Settings:
    return replace(wanted, **{name: value})


@pytest.mark.parametrize("name", ["tls_key", "tls_client_ca"])
def test_what_belongs_to_a_certificate_says_nothing_without_one(name: str) -> None:
    with pytest.raises(StartError, match=f"{name}: says nothing without tls_cert"):
        server_context(_with(Settings(), name, "file.pem"))


@pytest.mark.parametrize("name", ["tls_cert", "tls_client_ca"])
@pytest.mark.parametrize("file", ["empty.pem", "missing.pem"])
def test_a_file_that_will_not_do_is_named(tmp_path: Path, secure: Settings, name: str, file: str) -> None:
    (tmp_path / "empty.pem").write_text("")
    with pytest.raises(StartError, match=f"{name} .*{file}.*: cannot be used"):
        server_context(_with(secure, name, str(tmp_path / file)))


def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(
    secure: Settings, tmp_path: Path
) -> None:
    key = load_pem_private_key((tmp_path / "our-key.pem").read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"correct horse"))
    )

    with pytest.raises(StartError, match=r"tls_cert .*locked\.pem: cannot be used"):
        server_context(replace(secure, tls_key=str(locked)))


def test_the_files_are_named_in_the_settings_or_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "sim.toml"
    config.write_text('tls_cert = "a.pem"\ntls_key = "b.pem"\ntls_client_ca = "c.pem"\nstore = ":memory:"')
    read = Settings(**read_settings(config))
    assert (read.tls_cert, read.tls_key, read.tls_client_ca) == ("a.pem", "b.pem", "c.pem")

    assert main(["serve", "--config", str(config), "--tls-cert", "missing.pem", "--port", "0"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "fix_sim: tls_cert missing.pem and b.pem: cannot be used (No such file or directory); "
        "name files in PEM form that belong together, the key without a password"
    )
