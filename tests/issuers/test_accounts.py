"""The user of a token of another issuer: found by a field, created once, or nobody."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser, User
from django.db import connection
from django.db.models import UniqueConstraint

from drf_tessera import exceptions
from drf_tessera.conf import current_tenant, read_settings, use_tenant
from drf_tessera.issuers import Principal, accounts, check_accounts, find_account, verify_foreign_token
from tests.issuers.material import issuer, make_jwk, write_claims, write_token
from tests.settings import USER_MODEL

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(USER_MODEL != "auth.User", reason="the entries name fields of Django's own model"),
]

ONE = make_jwk("one")


def refuse(error: Exception) -> Exception:
    return error


def find(settings: Any, entry: dict[str, Any] | None = None, **claims: Any) -> Any:
    if entry is not None:
        settings.TESSERA = {**settings.TESSERA, "ISSUERS": [issuer(ONE, **entry)]}
    return find_account(verify_foreign_token(write_token(ONE, write_claims(**claims))), refuse=refuse)


@pytest.fixture(autouse=True)
def _settings(settings: Any) -> None:
    settings.TESSERA = {}


def test_without_a_field_the_token_has_no_user(
    settings: Any, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(0):
        found = find(settings, {})
    assert isinstance(found, Principal)
    assert (found.sub, found.claims["aud"], found.scopes) == ("u1", "api", {"read", "write"})
    assert found.is_authenticated
    assert [found.is_anonymous, found.is_staff, found.is_superuser] == [False] * 3
    assert found.is_active
    assert (str(found), found.get_username(), found.id) == ("u1", "u1", "https://issuer.example|u1")
    assert "u1" in repr(found)
    assert not found.has_perm("auth.add_user")
    assert not found.has_perms(["auth.add_user"])
    assert found.has_perms([])
    assert not found.has_module_perms("auth")


def test_a_principal_is_equal_to_itself_only(settings: Any) -> None:
    found = find(settings, {})
    same, other = find(settings), find(settings, sub="u2")
    assert found == same
    assert hash(found) == hash(same)
    assert found != other
    assert found != found.pk
    assert pickle.loads(pickle.dumps(found)) == found  # noqa: S301 - our own pickle


def test_a_user_is_found_by_a_field_with_one_query(
    settings: Any, anna: AbstractBaseUser, django_assert_num_queries: Callable[..., Any]
) -> None:
    with django_assert_num_queries(1):
        assert find(settings, {"user_field": "username"}, sub="anna") == anna
    token = verify_foreign_token(write_token(ONE, write_claims(sub="anna")))
    find_account(token, refuse=refuse)
    with django_assert_num_queries(0):
        again = find_account(token, refuse=refuse)
        assert again == anna
        assert again.is_authenticated
    with django_assert_num_queries(1):
        assert again.email == "anna@example.com"
    with django_assert_num_queries(1):
        assert find_account(token, refuse=None).email == "anna@example.com"


def test_a_claim_of_another_issuer_is_never_a_column(settings: Any, anna: AbstractBaseUser) -> None:
    """``user`` is the claim of USER_FIELDS in our own tokens. Here a stranger could have written it."""
    settings.TESSERA = {"USER_FIELDS": ["email"]}
    token: dict[str, Any] = {"sub": "anna", "user": {"email": "evil@example.com"}}
    for _ in range(2):
        assert find(settings, {"user_field": "username"}, **token).email == "anna@example.com"


@pytest.mark.parametrize("sub", ["nobody", "ANNA", "anna ", "an\0na", "x" * 3000])
def test_an_unknown_user_is_refused(settings: Any, anna: AbstractBaseUser, sub: str) -> None:
    with pytest.raises(exceptions.UserGone):
        find(settings, {"user_field": "username"}, sub=sub)
    assert User.objects.count() == 1


def test_an_inactive_user_is_refused_now_and_later(settings: Any, anna: Any) -> None:
    token = verify_foreign_token_of(settings, {"user_field": "username"}, sub="anna")
    user = find_account(token, refuse=refuse)
    user = find_account(token, refuse=refuse)
    User.objects.update(is_active=False)
    with pytest.raises(exceptions.UserInactive):
        _ = user.email
    with pytest.raises(exceptions.UserInactive):
        find_account(token, refuse=None)
    with pytest.raises(exceptions.UserInactive):
        find(settings, {"user_field": "username"}, sub="anna")


def verify_foreign_token_of(settings: Any, entry: dict[str, Any], **claims: Any) -> Any:
    settings.TESSERA = {"ISSUERS": [issuer(ONE, **entry)]}
    return verify_foreign_token(write_token(ONE, write_claims(**claims)))


def test_with_a_database_user_the_row_is_loaded_each_time(
    settings: Any, anna: AbstractBaseUser, django_assert_num_queries: Callable[..., Any]
) -> None:
    settings.TESSERA = {"USER": "database", "ISSUERS": [issuer(ONE, user_field="username")]}
    token = verify_foreign_token(write_token(ONE, write_claims(sub="anna")))
    for _ in range(3):
        with django_assert_num_queries(1):
            found: Any = find_account(token, refuse=refuse)
        assert vars(found)["email"] == "anna@example.com"


CREATE: dict[str, Any] = {
    "user_field": "username",
    "create": True,
    "user_fields": {"email": "email", "first_name": "given_name", "last_name": "family_name"},
}


def test_a_user_is_created_on_first_sight_and_only_then(settings: Any) -> None:
    claims: dict[str, Any] = {
        "sub": "auth0|5f7c8ec7",
        "email": "eva@example.com",
        "email_verified": True,
        "given_name": "Eva",
        "family_name": "x" * 500,
        "exp": write_claims()["exp"],
    }
    found = find(settings, CREATE, **claims)
    assert (found.username, found.email, found.first_name) == ("auth0|5f7c8ec7", "eva@example.com", "Eva")
    assert found.last_name == "", "the claim does not fit into the column"
    assert not found.has_usable_password()
    claims["given_name"] = "Other"
    again = find(settings, **claims)
    assert again == found
    assert again.first_name == "Eva"
    assert User.objects.count() == 1


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_nobody_has_verified_is_not_written(settings: Any, verified: object) -> None:
    """Its owner would get a row that somebody else can use, for example by a reset of the password."""
    found = find(settings, CREATE, email="eva@example.com", email_verified=verified)
    assert found.email == ""


@pytest.mark.parametrize("value", [["a"], {"a": 1}, None])
def test_a_claim_that_no_column_can_hold_is_left_out(settings: Any, value: object) -> None:
    assert find(settings, CREATE, given_name=value).first_name == ""


@pytest.mark.parametrize("sub", ["x" * 151, "a\0b"])
def test_an_identity_that_the_column_cannot_hold_creates_nobody(settings: Any, sub: str) -> None:
    with pytest.raises(exceptions.TokenClaimInvalid):
        find(settings, CREATE, sub=sub)
    assert not User.objects.exists()


def test_a_deleted_user_is_created_again_by_the_next_token(settings: Any) -> None:
    found = find(settings, CREATE)
    first = found.pk
    found.delete()
    assert find(settings, exp=write_claims()["exp"] + 5).username == "u1"
    assert User.objects.exclude(pk=first).count() == 1


def test_data_of_another_account_create_nobody(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another unique column has the value already, which the database says only when the row is written."""
    User.objects.create(username="u1")
    monkeypatch.setattr(accounts, "find_user_by", lambda field, value: None)
    with pytest.raises(exceptions.UserConflict):
        find(settings, CREATE)


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_address_counts_only_if_it_was_verified(
    settings: Any, anna: AbstractBaseUser, verified: object
) -> None:
    entry = {"user_field": "email", "user_claim": "email"}
    with pytest.raises(exceptions.TokenClaimInvalid):
        find(settings, entry, email="anna@example.com", email_verified=verified)
    assert find(settings, entry, email="anna@example.com", email_verified=True) == anna


@pytest.mark.parametrize("value", [None, "", 5, ["anna"]])
def test_an_identity_is_a_text(settings: Any, anna: AbstractBaseUser, value: object) -> None:
    with pytest.raises(exceptions.TokenClaimInvalid):
        find(settings, {"user_field": "username", "user_claim": "name"}, name=value)


def test_a_function_of_the_project_finds_the_user(settings: Any, anna: Any, bob: Any) -> None:
    def choose(token: Any) -> Any:
        return User.objects.filter(username=token["nick"]).first()

    assert find(settings, {"find_user": choose}, nick="bob") == bob
    with pytest.raises(exceptions.UserGone):
        find(settings, nick="eva")
    User.objects.update(is_active=False)
    with pytest.raises(exceptions.UserInactive):
        find(settings, nick="bob")


@pytest.mark.django_db(transaction=True)
def test_two_first_sights_end_in_one_user(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both threads have looked and found nobody before one of them writes."""
    token = verify_foreign_token_of(settings, CREATE)
    both, plain = threading.Barrier(2), accounts.find_user_by
    looked = threading.local()

    def look(field: str, value: object) -> Any:
        found = plain(field, value)
        if not getattr(looked, "once", False):
            looked.once = True
            both.wait(60)
        return found

    monkeypatch.setattr(accounts, "find_user_by", look)

    def see() -> Any:
        try:
            return find_account(token, refuse=refuse).pk
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        found = [future.result() for future in [pool.submit(see), pool.submit(see)]]
    assert found[0] == found[1]
    assert User.objects.count() == 1


# -- The system check of the fields ----------------------------------------------------------------


def check(settings: Any, **entry: Any) -> list[str]:
    settings.TESSERA = {"ISSUERS": [issuer(ONE, **entry)]}
    found, problems = read_settings()
    assert problems == []
    return check_accounts(found.issuers)


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({}, ""),
        ({"user_field": "username"}, ""),
        (CREATE, ""),
        ({"user_field": "nothing"}, "not a plain column"),
        ({"user_field": "groups"}, "not a plain column"),
        ({"user_field": "logentry"}, "not a plain column"),
        ({"user_field": "id"}, "must not come from a token"),
        ({"user_field": "password"}, "must not come from a token"),
        ({**CREATE, "user_fields": {"is_superuser": "admin"}}, "must not come from a token"),
        ({"user_field": "email"}, "not unique"),
    ],
)
def test_the_fields_are_checked(settings: Any, entry: dict[str, Any], problem: str) -> None:
    found = check(settings, **entry)
    assert len(found) == bool(problem)
    assert not problem or problem in found[0]


def test_a_unique_constraint_makes_a_field_unique(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    both = UniqueConstraint(fields=["email", "username"], name="both")
    monkeypatch.setattr(User._meta, "constraints", [both])
    assert check(settings, user_field="email")
    alone = UniqueConstraint(fields=["email"], name="alone")
    monkeypatch.setattr(User._meta, "constraints", [both, alone])
    assert check(settings, user_field="email") == []
    problems = check(settings, user_field="email", create=True)
    assert len(problems) == 1
    assert "User.username is unique, and a new user has no value" in problems[0]


def test_each_tenant_remembers_its_own_users(
    settings: Any, anna: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The primary key of a user is another person in another tenant."""
    settings.TESSERA = {
        "TENANT": lambda request: "none",
        "ISSUERS": [issuer(ONE, user_field="username")],
    }
    token = verify_foreign_token(write_token(ONE, write_claims(sub="anna")))
    asked: list[str] = []
    plain = accounts.find_user_by

    def look(field: str, value: object) -> Any:
        asked.append(current_tenant())
        return plain(field, value)

    monkeypatch.setattr(accounts, "find_user_by", look)
    for tenant in ("red", "blue", "red", "blue"):
        with use_tenant(tenant):
            assert find_account(token, refuse=refuse).pk == anna.pk
    assert asked == ["red", "blue"]
