"""``ISSUERS``: each mistake is reported by ``manage.py check``, and names its entry."""

from __future__ import annotations

from typing import Any

import pytest

from drf_tessera.conf import Issuer, get_settings, is_safe_address, read_settings
from drf_tessera.exceptions import SettingsError
from drf_tessera.jose.keys import Key
from tests.issuers.material import NAME, issuer, make_jwk, publish

pytestmark = pytest.mark.once  # it reads settings

ONE = make_jwk("one")
SECRET = "a secret of the provider and of this server"


def read(settings: Any, *entries: Any) -> Issuer:
    settings.TESSERA = {"ISSUERS": list(entries)}
    return get_settings().issuers[0]


def test_an_entry_needs_a_name_and_an_audience_only(settings: Any) -> None:
    found = read(settings, {"issuer": NAME, "audience": "api"})
    assert found == Issuer(issuer=NAME, audience=("api",))
    assert (found.algorithms, found.types) == (("RS256",), ("at+jwt",))
    assert not found.is_given
    assert not found.has_user


def test_an_entry_may_be_an_object(settings: Any) -> None:
    given = Issuer(issuer=NAME, audience="api", types=["JWT", None, "application/AT+jwt"], user_field="email")
    found = read(settings, given)
    assert found.audience == ("api",)
    assert found.types == ("jwt", None, "at+jwt")
    assert found.has_user
    assert read(settings, found) == found


def test_given_keys_bring_their_algorithms(settings: Any) -> None:
    keys = [{"jwk": publish(ONE)}, {"alg": "HS256", "secret": SECRET}, Key.from_jwk(make_jwk("two"))]
    found = read(settings, {"issuer": "any text", "audience": "api", "keys": keys})
    assert found.algorithms == ("ES256", "HS256")
    assert found.is_given
    assert SECRET not in repr(found)


def find_nobody(token: object) -> None:
    """Find no user."""


def test_a_function_may_be_named_by_its_path(settings: Any) -> None:
    assert read(settings, issuer(ONE, find_user=f"{__name__}.find_nobody")).find_user is find_nobody


def test_no_issuers_is_the_default(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": []}
    assert get_settings().issuers == ()


def entry(**changes: Any) -> list[Any]:
    return [{"issuer": NAME, "audience": "api", **changes}]


WRONG: list[tuple[Any, str, str]] = [
    ("https://issuer.example", "tessera.E040", "must be a list of dicts"),
    ({"issuer": NAME}, "tessera.E040", "must be a list of dicts"),
    (5, "tessera.E040", "must be a list of dicts"),
    ([NAME], "tessera.E040", "entry 0 must be a dict or an Issuer"),
    (entry(audiance="x"), "tessera.E040", "entry 0 has no name 'audiance'"),
    ([{"audience": "api"}], "tessera.E040", "entry 0 needs 'issuer'"),
    ([{"issuer": NAME}], "tessera.E042", "entry 0 needs 'audience'"),
    (entry(audience=""), "tessera.E042", "entry 0 needs 'audience'"),
    (entry(audience=[""]), "tessera.E042", "'audience' must be"),
    (entry(audience=5), "tessera.E042", "'audience' must be"),
    (entry() + entry(), "tessera.E040", "two entries for"),
    (entry(issuer=5), "tessera.E040", "'issuer' must be a text"),
    (entry(audience_claim=""), "tessera.E040", "'audience_claim' must be a text"),
    (entry(user_claim=5), "tessera.E040", "'user_claim' must be a text"),
    (entry(scope_claim=None), "tessera.E040", "'scope_claim' must be a text"),
    (entry(claims=["a"]), "tessera.E040", "'claims' must be a dict"),
    (entry(claims={5: "a"}), "tessera.E040", "'claims' must be a dict"),
    *(
        (entry(claims={"hd": value}), "tessera.E040", "'claims' must be a dict")
        for value in (None, [], (), ["a", None], find_nobody, b"a")
    ),
    (entry(types="JWT"), "tessera.E040", "'types' must be a list"),
    (entry(types=[]), "tessera.E040", "'types' must be a list"),
    (entry(types=[5]), "tessera.E040", "'types' must contain texts"),
    (entry(issuer="http://issuer.example"), "tessera.E041", "'issuer' must be an address"),
    (entry(issuer="https://issuer.example/?a=b"), "tessera.E041", "'issuer' must be an address"),
    (entry(jwks_uri="http://issuer.example/keys"), "tessera.E041", "'jwks_uri' must be an address"),
    (entry(jwks_uri=5), "tessera.E041", "'jwks_uri' must be an address"),
    (entry(algorithms="RS256"), "tessera.E041", "'algorithms' must be a list"),
    (entry(algorithms=[]), "tessera.E041", "'algorithms' must be a list"),
    (entry(algorithms=["none"]), "tessera.E041", "'none' is not an algorithm"),
    (entry(algorithms=["RS256", "HS256"]), "tessera.E041", "'HS256' is not an algorithm"),
    (entry(algorithms=[["RS256"]]), "tessera.E041", "is not an algorithm"),
    (entry(keys="abc"), "tessera.E041", "'keys' must be a list of dicts"),
    (entry(keys={"jwk": ONE}), "tessera.E041", "'keys' must be a list of dicts"),
    (entry(keys=["abc"]), "tessera.E041", "'keys': the entry must be a dict"),
    (entry(keys=[{"alg": "HS256", "secret": "short"}]), "tessera.E041", "needs at least 32"),
    (entry(keys=[{"jwk": publish(ONE)}], jwks_uri=f"{NAME}/keys"), "tessera.E041", "both 'keys' and"),
    (entry(keys=[{"jwk": publish(ONE)}], algorithms=["RS256"]), "tessera.E041", "which 'algorithms' lacks"),
    (
        [Issuer(issuer=NAME, audience="a", keys=[{"jwk": publish(ONE)}], algorithms=["PS256"])],
        "tessera.E041",
        "has 'ES256', which 'algorithms' lacks",
    ),
    (entry(user_field="a", user_fields={"a": "b"}), "tessera.E043", "must not contain the 'user_field'"),
    (entry(user_field="not a name"), "tessera.E043", "'user_field' must be the name"),
    (entry(user_field=5), "tessera.E043", "'user_field' must be the name"),
    (entry(user_field="a", find_user=find_nobody), "tessera.E043", "both 'user_field' and"),
    (entry(user_field="a", user_fields=["b"]), "tessera.E043", "'user_fields' must be a dict"),
    (entry(user_field="a", user_fields={"b": 5}), "tessera.E043", "'user_fields' must be a dict"),
    (entry(user_field="a", create="yes"), "tessera.E043", "'create' must be True or False"),
    (entry(create=True), "tessera.E043", "need a 'user_field'"),
    (entry(user_fields={"a": "b"}), "tessera.E043", "need a 'user_field'"),
    (entry(find_user=5), "tessera.E043", "'find_user' is not callable"),
    (entry(find_user="no.such.path"), "tessera.E043", "'find_user' cannot be imported"),
]


@pytest.mark.parametrize("more", [{}, {"algorithms": ["ES256", "RS256"]}])
@pytest.mark.parametrize("as_object", [False, True])
def test_given_keys_may_have_the_algorithms_that_the_entry_names(
    settings: Any, more: dict[str, Any], as_object: bool
) -> None:
    given: dict[str, Any] = {"issuer": NAME, "audience": "api", "keys": [{"jwk": publish(ONE)}], **more}
    settings.TESSERA = {"ISSUERS": [Issuer(**given) if as_object else given]}
    assert get_settings().issuers[0].algorithms == ("ES256",)


@pytest.mark.parametrize("value", ["a", 5, 1.5, True, {"b": 1}, ["a", "b"], {"a", "b"}])
def test_a_claim_may_have_each_value_of_json(settings: Any, value: object) -> None:
    settings.TESSERA = {"ISSUERS": entry(claims={"hd": value})}
    assert get_settings().issuers[0].claims == {"hd": value}


@pytest.mark.parametrize(("value", "check_id", "text"), WRONG)
def test_a_mistake_is_reported(settings: Any, value: Any, check_id: str, text: str) -> None:
    settings.TESSERA = {"ISSUERS": value}
    (problem,) = read_settings()[1]
    assert problem.id == check_id
    assert text in problem.message
    assert problem.hint
    assert SECRET not in problem.message
    with pytest.raises(SettingsError):
        get_settings()


def test_a_similar_name_is_suggested(settings: Any) -> None:
    settings.TESSERA = {"ISSUERS": entry(audiance="x")}
    assert read_settings()[1][0].hint == "Did you mean 'audience'?"
    settings.TESSERA = {"ISSUERS": entry(zzz="x")}
    assert read_settings()[1][0].hint.startswith("The names are: issuer, audience, ")


def test_another_issuer_has_not_our_own_name(settings: Any) -> None:
    settings.TESSERA = {"ISSUER": NAME, "ISSUERS": entry()}
    (problem,) = read_settings()[1]
    assert (problem.id, "own name" in problem.message) == ("tessera.E040", True)


@pytest.mark.parametrize(
    "address",
    [
        "https://a.example",
        "https://a.example:8443/b?c=d",
        "http://localhost:1/",
        "http://127.8.0.1",
        "http://[::1]:5",
    ],
)
def test_an_address_is_safe(address: str) -> None:
    assert is_safe_address(address)


@pytest.mark.parametrize(
    "address",
    [
        *(None, b"https://a.example", "", "https://", "a.example", "//a.example", "ftp://a.example"),
        *("http://a.example", "http://localhost.example", "http://127.0.0.1.example", "http://0.0.0.0"),
        *("https://user@a.example", "https://a.example#b", "https://a.example/\nb", "https://ä.example"),
        *("https://a.example:port", "https://[::1", "https://a.example\\@b.example", "https://a b.example"),
    ],
)
def test_an_address_is_not_safe(address: object) -> None:
    assert not is_safe_address(address)
