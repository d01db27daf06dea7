"""``/.well-known/jwks.json``: public keys alone, and answers that caches understand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.http import HttpRequest
from django.test import Client
from django.test.utils import override_settings

from drf_tessera import sessions
from drf_tessera.conf import use_tenant
from drf_tessera.jose.algorithms import generate_jwk
from drf_tessera.keys import find_book, list_keys, rotate_keys, rows
from drf_tessera.tokens import get_issuer, keystore
from tests.jose.material import ASYMMETRIC, SECRET, write_private
from tests.keys.conftest import DATABASE, MOVING, Clock, clock  # noqa: F401 - a fixture

PATH = "/.well-known/jwks.json"
PAIRS = ("RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
PUBLIC = {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.rest.verifiers_urls")]


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    keystore._get_holder.forget()
    find_book.forget()
    yield
    keystore._get_holder.forget()
    find_book.forget()


def fetch(client: Client, **headers: Any) -> Any:
    return client.get(PATH, **headers)


def test_no_private_part_and_no_secret_is_ever_shown(client: Client) -> None:
    """Every kind of key in one ring: PEM, JWK, secrets, the derived key and the database."""
    entries: list[dict[str, Any]] = [
        {"alg": alg, "pem": write_private(ASYMMETRIC[alg]), "kid": alg} for alg in PAIRS
    ]
    entries += [{"jwk": {**generate_jwk(alg), "kid": f"jwk {alg}"}} for alg in ("ES256", "HS256")]
    entries += [{"alg": "HS512", "secret": SECRET}, {"derived": True}, {"database": True}]
    with override_settings(TESSERA={"KEYS": entries}):
        rotate_keys()
        found = json.loads(fetch(client).content)["keys"]
    assert {name for jwk in found for name in jwk} <= PUBLIC
    assert [jwk["kty"] for jwk in found].count("oct") == 0
    assert len(found) == len(PAIRS) + 1 + 1


def test_a_published_key_is_there_before_it_signs_and_a_retiring_one_after(
    client: Client,
    clock: Clock,  # noqa: F811 - the fixture
) -> None:
    with override_settings(TESSERA=MOVING):
        key, _ = rotate_keys()
        clock.move(2)
        assert [jwk["kid"] for jwk in json.loads(fetch(client).content)["keys"]] == [key.kid]
        clock.move(key.life.signs_at - clock.time() + 1)
        following, _ = rotate_keys()
        clock.move(following.life.signs_at - clock.time() + 1)
        listed = [jwk["kid"] for jwk in json.loads(fetch(client).content)["keys"]]
        assert listed == [following.kid, key.kid]  # the newest one first
        clock.move(list_keys(clock.time())[0].gone_at - clock.time())
        assert [jwk["kid"] for jwk in json.loads(fetch(client).content)["keys"]] == [following.kid]


def test_another_library_verifies_a_token_with_the_set(client: Client, anna: AbstractBaseUser) -> None:
    with override_settings(TESSERA={"KEYS": [{"alg": "EdDSA", "database": True}]}):
        access = sessions.start(anna).access
        key_set = jwt.PyJWKSet.from_dict(json.loads(fetch(client).content))
        key = key_set[jwt.get_unverified_header(access)["kid"]]
        claims = jwt.decode(access, key, ["EdDSA"], audience="drf-tessera", issuer=get_issuer())
        assert claims["sub"] == str(anna.pk)


def by_place(request: HttpRequest | None) -> str:
    """Return the tenant that the path of a request names, or its host."""
    if request is None:
        return ""
    _, found, rest = request.path.partition("/t/")
    return rest.split("/")[0] if found else request.get_host().partition(".")[0]


def test_each_tenant_shows_its_own_keys(client: Client, anna: AbstractBaseUser) -> None:
    """The tenant may be in the host or in the path. A verifier needs only the address of the issuer."""
    chosen = {"KEYS": [{"alg": "EdDSA", "database": True}], "TENANT": by_place}
    by_host = {**chosen, "ISSUER": "https://{tenant}.example.com"}
    by_path = {**chosen, "ISSUER": "https://example.com/t/{tenant}"}
    for written in (by_host, by_path):
        found = {}
        with override_settings(TESSERA=written):
            for tenant in ("one", "two"):
                with use_tenant(tenant):
                    access = sessions.start(anna).access
                issuer = urlsplit(jwt.decode(access, options={"verify_signature": False})["iss"])
                host = {"host": issuer.netloc}
                body = client.get(
                    f"/.well-known/oauth-authorization-server{issuer.path}", headers=host
                ).json()
                assert body["issuer"] == issuer.geturl()
                place = urlsplit(body["jwks_uri"])
                assert place.netloc == issuer.netloc
                keys = jwt.PyJWKSet.from_dict(client.get(place.path, headers=host).json())
                key = keys[jwt.get_unverified_header(access)["kid"]]
                jwt.decode(access, key, ["EdDSA"], audience="drf-tessera", issuer=issuer.geturl())
                found[tenant] = [item.key_id for item in keys.keys]
        assert not set(found["one"]) & set(found["two"])


def test_caches_may_keep_the_set_and_ask_whether_it_has_changed(client: Client) -> None:
    with override_settings(TESSERA={**DATABASE, "JWKS_MAX_AGE": 600}):
        answer = fetch(client)
        assert answer.status_code == 200
        assert answer["Content-Type"] == "application/jwk-set+json"
        assert answer["Cache-Control"] == "public, max-age=600"
        again = fetch(client, headers={"If-None-Match": answer["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert (again["ETag"], again["Cache-Control"]) == (answer["ETag"], answer["Cache-Control"])
        head = client.head(PATH)
        assert (head.status_code, head.content, head["ETag"]) == (200, b"", answer["ETag"])
        rotate_keys()
        find_book.forget()
        keystore._get_holder.forget()
        other = fetch(client, headers={"If-None-Match": answer["ETag"]})
        assert other.status_code == 200
        assert other["ETag"] != answer["ETag"]


def test_without_key_pairs_the_set_is_empty(client: Client) -> None:
    assert fetch(client).json() == {"keys": []}


def test_only_reading_is_allowed(client: Client) -> None:
    assert client.post(PATH).status_code == 405


def test_without_the_database_the_set_is_503_and_is_not_kept(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from django.db import OperationalError

    def fail() -> Any:
        raise OperationalError("gone")

    with override_settings(TESSERA=DATABASE):
        monkeypatch.setattr(rows, "_rows", fail)
        answer = fetch(client)
    assert (answer.status_code, answer["Retry-After"], answer["Cache-Control"]) == (503, "1", "no-store")
    assert "code" in answer.json()
