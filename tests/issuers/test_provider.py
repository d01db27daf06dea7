"""How the keys of a provider are fetched: rarely, by one thread, within limits, and kept through outages.

The provider is a web server of the test. The clock of the room stands still, and only the test moves it.
"""

from __future__ import annotations

import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from drf_tessera.conf import Issuer
from drf_tessera.exceptions import IssuerUnavailable, TokenKeyUnknown, TokenUnsupported
from drf_tessera.issuers import fetching, provider
from drf_tessera.issuers.fetching import FetchError, can_fetch, fetch
from drf_tessera.issuers.provider import COOLDOWN, KEPT, LONGEST, RETRY, SHORTEST, USUAL, Given, Provider
from drf_tessera.jose.keys import Key
from tests.issuers.material import DISCOVERY, Host, host, make_jwk, publish
from tests.servers import PATIENCE, find_port, wait_until

pytestmark = [pytest.mark.once, pytest.mark.server]

ONE, TWO = make_jwk("one"), make_jwk("two")


@pytest.fixture
def web() -> Iterator[Host]:
    with host() as found:
        found.publish(publish(ONE))
        yield found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(provider, "time", SimpleNamespace(monotonic=lambda: found.now))
    return found


@pytest.fixture
def asked(web: Host, clock: SimpleNamespace) -> Provider:
    return Provider(make_issuer(web))


def make_issuer(web: Host, **changes: Any) -> Issuer:
    return Issuer(**{"issuer": web.address, "audience": ("api",), "algorithms": ("ES256",), **changes})


def fail(handler: Any) -> None:
    handler.send_response(500)
    handler.end_headers()


def is_idle(asked: Provider) -> bool:
    return not asked._lock.locked()


def test_keys_are_fetched_once_and_only_when_they_are_needed(web: Host, asked: Provider) -> None:
    assert web.asked == []
    for _ in range(5):
        assert [key.alg for key in asked.find("one", "ES256")] == ["ES256"]
    assert web.asked == [DISCOVERY, "/keys"]


def test_a_given_address_needs_no_discovery(web: Host, clock: SimpleNamespace) -> None:
    asked = Provider(make_issuer(web, issuer="https://elsewhere.example", jwks_uri=f"{web.address}/keys"))
    assert asked.find("one", "ES256")
    assert web.asked == ["/keys"]


def test_an_algorithm_that_is_not_accepted_fetches_nothing(web: Host, asked: Provider) -> None:
    for alg in ("none", "HS256", "RS256"):
        with pytest.raises(TokenUnsupported):
            asked.find("one", alg)
    assert web.asked == []


def test_an_unknown_key_is_looked_for_once_per_cooldown(web: Host, asked: Provider, clock: Any) -> None:
    asked.find("one", "ES256")
    for number in range(20):
        with pytest.raises(TokenKeyUnknown):
            asked.find(f"forged {number}", "ES256")
    assert web.fetches == 2
    clock.now += COOLDOWN
    with pytest.raises(TokenKeyUnknown):
        asked.find("forged", "ES256")
    assert web.fetches == 3
    assert asked.find("one", "ES256")


def test_the_first_fetch_answers_for_an_unknown_key_too(web: Host, asked: Provider) -> None:
    with pytest.raises(TokenKeyUnknown):
        asked.find("forged", "ES256")
    assert web.fetches == 1


def test_a_key_that_is_rolled_over_is_found_at_once(web: Host, asked: Provider) -> None:
    asked.find("one", "ES256")
    web.publish(publish(ONE), publish(TWO))
    assert asked.find("two", "ES256")
    assert asked.find("one", "ES256")
    assert web.fetches == 2


def test_many_threads_make_one_fetch(web: Host, asked: Provider) -> None:
    gate = threading.Event()
    page = web.pages["/keys"]

    def wait(handler: Any) -> None:
        gate.wait(PATIENCE)
        raw = json.dumps(page).encode()
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(raw)))
        handler.end_headers()
        handler.wfile.write(raw)

    web.pages["/keys"] = wait
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(asked.find, "one", "ES256") for _ in range(16)]
        wait_until(lambda: web.fetches == 1, "nobody fetches")
        gate.set()
        assert all(found.result() for found in waiting)
    assert (web.fetches, web.most_at_once) == (1, 1)


def test_a_known_key_never_waits_for_a_fetch(web: Host, asked: Provider) -> None:
    """Another thread looks for an unknown key, and the provider does not answer it."""
    asked.find("one", "ES256")
    gate = threading.Event()
    web.pages["/keys"] = lambda handler: (gate.wait(PATIENCE), fail(handler))
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(asked.find, "two", "ES256")
        wait_until(lambda: web.fetches == 2, "nobody fetches")
        assert asked.find("one", "ES256")
        gate.set()
        assert isinstance(stuck.exception(), IssuerUnavailable)


def test_a_thread_does_not_wait_for_ever(web: Host, asked: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "WHOLE_TIME", 0)
    with asked._lock, pytest.raises(IssuerUnavailable):
        asked.find("one", "ES256")
    assert web.asked == []


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", USUAL),
        ("max-age=1000", 1000),
        ("public, Max-Age=1000, must-revalidate", 1000),
        ("max-age=0", SHORTEST),
        ("no-store", USUAL),
        ("max-age=999999999", LONGEST),
        ("max-age=nonsense", USUAL),
        ("s-max-age=7", USUAL),
    ],
)
def test_known_keys_are_renewed_in_the_background(
    web: Host, asked: Provider, clock: Any, header: str, seconds: float
) -> None:
    if header:
        web.headers["Cache-Control"] = header
    asked.find("one", "ES256")
    web.publish(publish(ONE), publish(TWO))
    clock.now += seconds - 1
    asked.find("one", "ES256")
    assert is_idle(asked)
    assert web.fetches == 1
    clock.now += 1
    for _ in range(5):
        assert asked.find("one", "ES256")
    wait_until(lambda: asked._tries == 2 and is_idle(asked), "nobody renews")
    assert asked.find("two", "ES256")
    assert web.fetches == 2


def test_keys_are_used_through_an_outage_and_not_for_ever(
    web: Host, asked: Provider, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    asked.find("one", "ES256")
    web.pages["/keys"] = fail
    clock.now += USUAL
    assert asked.find("one", "ES256")
    wait_until(lambda: asked._tries == 2 and is_idle(asked), "nobody renews")
    for _ in range(5):
        assert asked.find("one", "ES256")  # the failure is remembered
    assert web.fetches == 2
    clock.now += RETRY
    assert asked.find("one", "ES256")
    wait_until(lambda: asked._tries == 3 and is_idle(asked), "nobody tries again")
    clock.now += KEPT
    with pytest.raises(IssuerUnavailable):
        asked.find("one", "ES256")
    web.publish(publish(TWO))
    clock.now += RETRY
    assert asked.find("two", "ES256")
    with pytest.raises(TokenKeyUnknown):
        asked.find("one", "ES256")
    told = [(record.levelno, record.getMessage()) for record in caplog.records]
    assert [level for level, _ in told] == [logging.ERROR, logging.WARNING]
    assert all(web.address in text for _, text in told)


def test_a_failure_is_remembered_when_keys_are_due_too(web: Host, asked: Provider, clock: Any) -> None:
    asked.find("one", "ES256")
    web.pages["/keys"] = fail
    clock.now += USUAL - 1
    with pytest.raises(IssuerUnavailable):
        asked.find("two", "ES256")
    clock.now += 1
    assert asked.find("one", "ES256")
    assert is_idle(asked)
    assert web.fetches == 2


def test_in_an_outage_only_one_thread_waits(web: Host, asked: Provider, clock: Any) -> None:
    web.pages[DISCOVERY] = fail
    with pytest.raises(IssuerUnavailable):
        asked.find("one", "ES256")
    gate = threading.Event()
    web.pages[DISCOVERY] = lambda handler: (gate.wait(PATIENCE), fail(handler))
    clock.now += RETRY
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(asked.find, "one", "ES256")
        wait_until(lambda: len(web.asked) == 2, "nobody fetches")
        with pytest.raises(IssuerUnavailable):
            asked.find("one", "ES256")
        assert not stuck.done()
        gate.set()
        assert isinstance(stuck.exception(), IssuerUnavailable)
    assert len(web.asked) == 2


def test_an_unknown_key_in_an_outage_is_nobodys_fault(web: Host, asked: Provider, clock: Any) -> None:
    asked.find("one", "ES256")
    web.pages["/keys"] = fail
    for _ in range(5):
        with pytest.raises(IssuerUnavailable):
            asked.find("two", "ES256")
    assert web.fetches == 2
    web.publish(publish(ONE), publish(TWO))
    clock.now += RETRY
    assert asked.find("two", "ES256")


def test_a_failure_is_remembered(web: Host, asked: Provider, clock: Any) -> None:
    web.pages.clear()
    for _ in range(5):
        with pytest.raises(IssuerUnavailable) as caught:
            asked.find("one", "ES256")
    assert web.asked == [DISCOVERY]
    assert caught.value.retry_after == RETRY
    clock.now += RETRY - 1
    with pytest.raises(IssuerUnavailable) as caught:
        asked.find("one", "ES256")
    assert caught.value.retry_after == 1
    clock.now += 1
    web.publish(publish(ONE))
    assert asked.find("one", "ES256")


def test_keys_that_have_moved_are_found_again(web: Host, asked: Provider, clock: Any) -> None:
    asked.find("one", "ES256")
    web.pages["/new"] = web.pages.pop("/keys")
    web.pages[DISCOVERY]["jwks_uri"] = f"{web.address}/new"
    clock.now += USUAL
    asked.find("one", "ES256")
    wait_until(lambda: asked._tries == 2 and is_idle(asked), "nobody renews")
    clock.now += RETRY
    asked.find("one", "ES256")
    wait_until(lambda: asked._tries == 3 and is_idle(asked), "nobody renews")
    assert web.asked == [DISCOVERY, "/keys", "/keys", DISCOVERY, "/new"]


def redirect(target: str) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", target)
        handler.end_headers()

    return answer


def drip(handler: Any) -> None:
    """Send one byte at a time, so that each single wait is short."""
    handler.send_response(200)
    handler.end_headers()
    for _ in range(int(PATIENCE / 0.05)):
        try:
            handler.wfile.write(b" ")
        except OSError:
            return
        time.sleep(0.05)


def drip_headers(handler: Any) -> None:
    for _ in range(int(PATIENCE / 0.05)):
        try:
            handler.wfile.write(b"H")
        except OSError:
            return
        time.sleep(0.05)


def cut(handler: Any) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"keys": []}')


def flood(handler: Any) -> None:
    """Send ten megabytes, and say nothing about the length."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(160):
            handler.wfile.write(b" " * 65_536)
    except OSError:
        return


def hang_up(handler: Any) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


HOSTILE: dict[str, Any] = {
    "another host": redirect("http://localhost:1/keys"),
    "another path": redirect("/other"),
    "no JSON": b"<html>",
    "no object": b"[]",
    "no keys": {"keys": None},
    "no list": {"keys": {"kid": "one"}},
    "nothing": {"keys": []},
    "only strings": {"keys": ["one", 5, None]},
    "deep": b'{"keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "twice the same name": b'{"keys": [], "keys": []}',
    "no text": b"\xff\xfe\x00",
    "compressed": gzip.compress(b'{"keys": []}'),
    "too many": {"keys": [publish(ONE)] * 101},
    "a private key": {"keys": [ONE]},
    "a shared secret": {"keys": [{"kty": "oct", "k": "c2VjcmV0" * 8, "kid": "one", "alg": "HS256"}]},
    "another algorithm": {"keys": [publish(ONE, alg="HS256")]},
    "for encryption": {"keys": [publish(ONE, use="enc")]},
    "a broken key": {"keys": [publish(ONE, x="AAAA")]},
    "a strange algorithm": {"keys": [{**publish(ONE), "alg": 5}]},
    "an error": fail,
    "cut": cut,
    "a flood": flood,
    "huge": json.dumps({"keys": [publish(ONE)], "pad": "x" * 10_000_000}).encode(),
    "hung up": hang_up,
}


@pytest.mark.parametrize("page", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("place", ["/keys", DISCOVERY])
def test_an_answer_that_is_not_a_key_set_changes_nothing(
    web: Host, asked: Provider, clock: Any, page: Any, place: str
) -> None:
    """The known key stays in use, and a provider without known keys is unavailable."""
    good = dict(web.pages)
    asked.find("one", "ES256")
    web.pages[place] = page
    if place == DISCOVERY:
        asked._jwks_uri = None
    with pytest.raises(IssuerUnavailable):
        asked.find("two", "ES256")
    assert asked.find("one", "ES256")
    fresh = Provider(make_issuer(web))
    with pytest.raises(IssuerUnavailable):
        fresh.find("one", "ES256")
    assert "/other" not in web.asked
    web.pages.update(good)
    clock.now += RETRY
    assert fresh.find("one", "ES256")


def stay(handler: Any) -> None:
    """Write the header of a long answer, and send nothing."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.connection.recv(1)


@pytest.mark.parametrize("page", [drip, drip_headers, stay])
def test_a_slow_answer_is_given_up(web: Host, page: Any) -> None:
    """The server sends for as long as the client listens: the answer ends only if the client hangs up."""
    web.pages["/keys"] = page
    with pytest.raises(FetchError):
        fetch(f"{web.address}/keys", seconds=0.3)
    wait_until(lambda: web.at_once == 0, "the connection was not ended", PATIENCE / 4)


def write_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Return the files of a certificate that has signed itself, and of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(tz=UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


@pytest.mark.parametrize(
    ("name", "trusted", "good"),
    [("localhost", True, True), ("localhost", False, False), ("other.example", True, False)],
)
def test_a_certificate_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, good: bool
) -> None:
    certificate, key = write_certificate(tmp_path, name)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with host(certificate, key) as found:
        found.publish(publish(ONE))
        address = f"https://localhost:{found.address.rpartition(':')[2]}/keys"
        if good:
            assert b'"one"' in fetch(address).body
        else:
            with pytest.raises(FetchError):
                fetch(address)
            assert found.asked == []


def test_nobody_listens() -> None:
    with pytest.raises(FetchError):
        fetch(f"http://127.0.0.1:{find_port()}/keys")


def test_a_connection_that_is_not_made_yet_needs_no_end() -> None:
    watched = fetching._Watched()
    watched.close()
    assert watched.late


def test_an_answer_after_its_time_does_not_count(web: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection was ended, so an answer without a length may lack its end."""
    plain = fetching._watch

    def watch(pool: Any) -> Any:
        watched = plain(pool)
        watched.late = True
        return watched

    monkeypatch.setattr(fetching, "_watch", watch)
    with pytest.raises(FetchError):
        fetch(f"{web.address}/keys")


@pytest.mark.parametrize(
    "address", ["http://issuer.example/keys", "file:///etc/passwd", "https://a@b.example/"]
)
def test_only_a_safe_address_is_asked(address: str) -> None:
    with pytest.raises(FetchError):
        fetch(address)


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://elsewhere.example"},
        {"issuer": None},
        {"jwks_uri": None},
        {"jwks_uri": "http://issuer.example/keys"},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"jwks_uri": ["/keys"]},
    ],
)
def test_a_discovery_document_cannot_send_us_elsewhere(web: Host, asked: Provider, document: Any) -> None:
    web.pages[DISCOVERY] = {**web.pages[DISCOVERY], **document}
    with pytest.raises(IssuerUnavailable):
        asked.find("one", "ES256")
    assert web.asked == [DISCOVERY]


def test_a_provider_elsewhere_cannot_name_this_machine(clock: SimpleNamespace) -> None:
    """Discovery of a public issuer leads to a loopback address. The connection to it would be our own."""
    asked: list[str] = []

    def get(address: str) -> fetching.Answer:
        asked.append(address)
        found = {"issuer": "https://issuer.example/a/", "jwks_uri": "http://127.0.0.1:1/keys"}
        return fetching.Answer(json.dumps(found).encode(), "")

    other = Provider(Issuer(issuer="https://issuer.example/a/", audience=("api",)), get)
    with pytest.raises(IssuerUnavailable):
        other.find("one", "RS256")
    assert asked == [f"https://issuer.example/a{DISCOVERY}"]


def test_a_published_key_without_an_algorithm_counts_for_those_that_fit(
    web: Host, clock: SimpleNamespace
) -> None:
    rsa = make_jwk("rsa", "RS256")
    web.publish(publish(rsa, alg=None), publish(ONE, alg=None))
    asked = Provider(make_issuer(web, algorithms=("RS256", "PS256", "ES256")))
    assert [asked.find("rsa", alg)[0].alg for alg in ("RS256", "PS256")] == ["RS256", "PS256"]
    assert asked.find("one", "ES256")
    with pytest.raises(TokenUnsupported):
        asked.find("rsa", "ES256")
    assert web.fetches == 1


def test_two_published_keys_may_share_a_name(web: Host, asked: Provider) -> None:
    web.publish(publish(ONE), publish(TWO, kid="one"))
    assert len(asked.find("one", "ES256")) == 2


def test_keys_may_have_no_names(web: Host, asked: Provider) -> None:
    web.publish(publish(ONE, kid=None))
    assert asked.find(None, "ES256")
    with pytest.raises(TokenKeyUnknown):
        asked.find("one", "ES256")


def test_one_bad_key_does_not_lock_out_the_others(web: Host, asked: Provider) -> None:
    web.publish(publish(TWO, x="AAAA"), {**publish(TWO), "d": "AAAA"}, publish(ONE, kid="x" * 500))
    assert asked.find("x" * 500, "ES256")


def test_given_keys_fetch_nothing() -> None:
    given = Given(Issuer(issuer="a", audience=("b",), algorithms=("ES256",), keys=(Key.from_jwk(ONE),)))
    assert given.find("one", "ES256")
    with pytest.raises(TokenUnsupported):
        given.find("one", "RS256")
    with pytest.raises(TokenKeyUnknown):
        given.find("two", "ES256")


def test_the_library_is_there() -> None:
    assert can_fetch()
