"""Login, and the e-mail backend."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, connection
from django.test import RequestFactory
from rest_framework import exceptions as drf

from drf_tessera import sessions
from drf_tessera.backends import EmailBackend
from drf_tessera.exceptions import EmailLoginUnavailable, LoginFailed
from drf_tessera.login import log_in
from drf_tessera.models import Session
from tests.conftest import PASSWORD, make_user

pytestmark = pytest.mark.django_db

OURS = ["drf_tessera.backends.EmailBackend"]
DJANGOS = ["django.contrib.auth.backends.ModelBackend"]
ANYBODY = ["django.contrib.auth.backends.AllowAllUsersModelBackend"]


def request() -> Any:
    return RequestFactory().post("/api/token/")


class TestLogIn:
    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize(
        "given", [{"username": "anna"}, {"username": "ANNA@Example.com"}, {"email": "anna@EXAMPLE.com"}]
    )
    def test_by_name_or_by_address(
        self, anna: AbstractBaseUser, given: dict[str, str], django_assert_num_queries: Any
    ) -> None:
        """The minimum: find the user, insert the session, set last_login."""
        with django_assert_num_queries(3):
            user, grant = log_in(request(), password=PASSWORD, **given)
        assert user == anna
        assert Session.objects.get().pk == grant.session_id

    def test_tells_django_with_the_request(self, anna: AbstractBaseUser) -> None:
        heard: list[tuple[str, Any, Any]] = []

        def succeeded(sender: Any, request: Any, user: Any, **kwargs: Any) -> None:
            heard.append(("in", request, user))

        def failed(sender: Any, request: Any, credentials: dict[str, str], **kwargs: Any) -> None:
            heard.append(("failed", request, credentials))

        user_logged_in.connect(succeeded)
        user_login_failed.connect(failed)
        try:
            first, second = request(), request()
            log_in(first, username="anna", password=PASSWORD)
            with pytest.raises(LoginFailed):
                log_in(second, username="anna", password="wrong")
        finally:
            user_logged_in.disconnect(succeeded)
            user_login_failed.disconnect(failed)
        assert heard[0] == ("in", first, anna)
        assert first.user == anna
        assert heard[1][:2] == ("failed", second)
        assert "wrong" not in str(heard[1][2])
        anna.refresh_from_db()
        assert anna.last_login is not None

    def test_an_inactive_user_fails_like_a_wrong_password(
        self, anna: AbstractBaseUser, settings: Any
    ) -> None:
        anna.is_active = False
        anna.save()
        heard: list[dict[str, str]] = []

        def failed(credentials: dict[str, str], **kwargs: Any) -> None:
            heard.append(credentials)

        user_login_failed.connect(failed)
        try:
            for backends in (OURS, DJANGOS, ANYBODY):
                settings.AUTHENTICATION_BACKENDS = backends
                with pytest.raises(LoginFailed):
                    log_in(request(), username="anna", password=PASSWORD)
        finally:
            user_login_failed.disconnect(failed)
        assert len(heard) == 3
        assert PASSWORD not in str(heard)
        assert not Session.objects.exists()

    def test_without_a_backend_for_it_an_address_is_refused_clearly(
        self, anna: AbstractBaseUser, settings: Any
    ) -> None:
        settings.AUTHENTICATION_BACKENDS = DJANGOS
        with pytest.raises(EmailLoginUnavailable):
            log_in(request(), email="anna@example.com", password=PASSWORD)
        assert log_in(request(), username="anna", password=PASSWORD)

    def test_an_address_that_is_the_user_name_needs_no_backend(
        self, anna: AbstractBaseUser, settings: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.AUTHENTICATION_BACKENDS = DJANGOS
        monkeypatch.setattr(get_user_model(), "USERNAME_FIELD", "email")
        monkeypatch.setattr(
            type(get_user_model()._default_manager),
            "get_by_natural_key",
            lambda self, name: self.get(email=name),
        )
        assert log_in(request(), email="anna@example.com", password=PASSWORD)[0] == anna


class TestEmailBackend:
    @pytest.mark.parametrize(
        "credentials",
        [
            {"username": "anna", "password": "wrong"},
            {"username": "nobody", "password": "wrong"},
            {"username": "anna@example.com", "password": "wrong"},
            {"username": "nobody@example.com", "password": "wrong"},
            {"email": "anna@example.com", "password": "wrong"},
            {"email": "nobody@example.com", "password": "wrong"},
            {"email": "shared@example.com", "password": PASSWORD},
            {"username": "idle", "password": PASSWORD},
            {"username": "anna", "password": PASSWORD},
        ],
        ids=str,
    )
    def test_every_answer_takes_one_hash_and_one_query(
        self,
        anna: AbstractBaseUser,
        hashes: list[str],
        credentials: dict[str, str],
        django_assert_num_queries: Any,
    ) -> None:
        make_user("idle", is_active=False)
        for name in ("one", "two"):
            user = make_user(name)
            user.email = "shared@example.com"
            user.save()
        hashes.clear()
        with django_assert_num_queries(1):
            EmailBackend().authenticate(None, **credentials)
        assert hashes == [credentials["password"]]

    def test_an_address_that_two_accounts_share_logs_nobody_in(
        self, anna: AbstractBaseUser, bob: AbstractBaseUser, caplog: Any
    ) -> None:
        bob.email = "ANNA@example.com"
        bob.save()
        assert authenticate(email="anna@example.com", password=PASSWORD) is None
        assert "several accounts" in caplog.text
        assert "anna" not in caplog.text.lower().replace("tests/", "")
        assert authenticate(username="anna", password=PASSWORD) == anna

    def test_a_user_name_goes_before_an_address(self, anna: AbstractBaseUser, bob: AbstractBaseUser) -> None:
        """Bob's user name is Anna's address. He logs in with his own password, and not with hers."""
        bob.username = "anna@example.com"
        bob.set_password("bob's own")
        bob.save()
        assert authenticate(username="anna@example.com", password="bob's own") == bob
        assert authenticate(username="anna@example.com", password=PASSWORD) is None
        assert authenticate(email="anna@example.com", password=PASSWORD) == anna

    def test_letters_that_only_look_the_same_are_different_addresses(self, anna: AbstractBaseUser) -> None:
        anna.email = "mike@example.com"
        anna.save()
        for address in ("m\u0131ke@example.com", "mik\u00e9@example.com", "mike@example.com "):
            assert authenticate(email=address, password=PASSWORD) is None

    def test_says_nothing_without_a_name_or_a_password(
        self, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(0):
            assert EmailBackend().authenticate(None, username="anna") is None
            assert EmailBackend().authenticate(None, password=PASSWORD) is None
            assert EmailBackend().authenticate(None, token="x") is None

    def test_reads_the_name_field_of_the_user_model(self, anna: AbstractBaseUser) -> None:
        name = {get_user_model().USERNAME_FIELD: anna.get_username()}
        assert EmailBackend().authenticate(None, password=PASSWORD, **name) == anna

    def test_async_callers_get_the_same_answer(self) -> None:
        async def ask() -> Any:
            return await EmailBackend().aauthenticate(None, username="anna")

        assert asyncio.run(ask()) is None

    def test_permissions_work_as_with_djangos(self) -> None:
        assert issubclass(EmailBackend, ModelBackend)


def test_a_collation_that_folds_letters_does_as_in_django(anna: AbstractBaseUser) -> None:
    """MariaDB finds "ANNA" for "anna", here and in Django's own backend. Other databases find nobody."""
    found = EmailBackend().authenticate(None, username="ANNA", password=PASSWORD)
    assert found == ModelBackend().authenticate(None, username="ANNA", password=PASSWORD)


class Racing(EmailBackend):
    """A backend in which the account changes during the check of its password."""

    happens: Any = None

    def authenticate(self, *args: Any, **kwargs: Any) -> Any:
        found = super().authenticate(*args, **kwargs)
        if found is not None:
            type(self).happens(found)
        return found


def change_password(user: Any) -> None:
    again = type(user)._default_manager.get(pk=user.pk)
    again.set_password("another one")
    again.save()


def rehash(user: Any) -> None:
    type(user)._default_manager.update(password=make_password(PASSWORD))


@pytest.mark.parametrize(
    "autocommit",
    [
        pytest.param(True, marks=pytest.mark.django_db(transaction=True)),
        pytest.param(False, marks=pytest.mark.django_db),
    ],
)
class TestRaces:
    @pytest.fixture(autouse=True)
    def _race(self, autocommit: bool, settings: Any) -> None:
        assert connection.in_atomic_block is not autocommit
        settings.AUTHENTICATION_BACKENDS = ["tests.test_login.Racing"]

    def test_a_password_that_is_changed_meanwhile_lets_nobody_in(self, monkeypatch: Any) -> None:
        anna = make_user("anna")
        monkeypatch.setattr(Racing, "happens", staticmethod(change_password))
        with pytest.raises(LoginFailed):
            log_in(request(), username="anna", password=PASSWORD)
        assert not sessions.live_sessions(anna.pk).exists()

    def test_a_hash_that_is_made_stronger_meanwhile_does_no_harm(self, monkeypatch: Any) -> None:
        anna = make_user("anna")
        done: list[Any] = []

        def rehash_once(user: Any) -> None:
            if not done:
                done.append(user)
                rehash(user)

        monkeypatch.setattr(Racing, "happens", staticmethod(rehash_once))
        log_in(request(), username="anna", password=PASSWORD)
        assert sessions.live_sessions(anna.pk).count() == 1

    def test_one_that_never_stops_moving_lets_nobody_in(self, monkeypatch: Any) -> None:
        make_user("anna")
        monkeypatch.setattr(Racing, "happens", staticmethod(rehash))
        with pytest.raises(LoginFailed):
            log_in(request(), username="anna", password=PASSWORD)

    @pytest.mark.parametrize("what", ["delete", "deactivate"])
    def test_an_account_that_goes_meanwhile_lets_nobody_in(self, monkeypatch: Any, what: str) -> None:
        make_user("anna")

        def go(user: Any) -> None:
            rows = type(user)._default_manager.filter(pk=user.pk)
            if what == "delete":
                rows.delete()
            else:
                rows.update(is_active=False)

        monkeypatch.setattr(Racing, "happens", staticmethod(go))
        with pytest.raises(LoginFailed):
            log_in(request(), username="anna", password=PASSWORD)
        assert not Session.objects.exists()

    def test_an_account_that_is_deleted_after_that_is_a_failed_login(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(Racing, "happens", staticmethod(lambda user: None))
        make_user("anna")

        def receive(user: Any, **kwargs: Any) -> None:
            type(user)._default_manager.filter(pk=user.pk).delete()
            raise DatabaseError("what saving a row says that is gone")

        with heard(user_logged_in, receive), pytest.raises(LoginFailed):
            log_in(request(), username="anna", password=PASSWORD)

    def test_another_error_of_the_database_is_told(self, monkeypatch: Any) -> None:
        monkeypatch.setattr(Racing, "happens", staticmethod(lambda user: None))
        make_user("anna")

        def receive(user: Any, **kwargs: Any) -> None:
            raise DatabaseError("something else")

        with heard(user_logged_in, receive), pytest.raises(DatabaseError, match="something else"):
            log_in(request(), username="anna", password=PASSWORD)


REFUSALS = [
    drf.PermissionDenied("No.", code="mfa_required"),
    drf.ValidationError({"device": ["No."]}),
    PermissionDenied("No."),
    KeyError("a mistake"),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: type(refusal).__qualname__)
def test_a_receiver_that_refuses_a_login_leaves_no_session(
    anna: AbstractBaseUser, settings: Any, refusal: Exception
) -> None:
    """Nobody gets the tokens of such a session, and nobody could end it."""
    settings.AUTHENTICATION_BACKENDS = DJANGOS

    def receive(**kwargs: Any) -> None:
        raise refusal

    with heard(user_logged_in, receive), pytest.raises(type(refusal)) as caught:
        log_in(request(), username=anna.get_username(), password=PASSWORD)
    assert caught.value is refusal
    assert not sessions.live_sessions(anna.pk).exists()


class AnyName(ModelBackend):
    """Reads each name from ``username``, and relies on it, as most backends of projects do."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **kwargs: Any) -> Any:
        user = get_user_model().objects.get(email__iexact=username.lower())
        return user if user.check_password(password) else None


def test_an_address_reaches_a_backend_that_reads_it_as_a_name(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = [f"{__name__}.AnyName"]
    anna = make_user("anna")
    for name in ({"email": "Anna@Example.com"}, {"username": "Anna@Example.com"}):
        assert log_in(request(), password=PASSWORD, **name)[0] == anna  # type: ignore[arg-type]


@contextmanager
def heard(signal: Any, receive: Any) -> Iterator[None]:
    signal.connect(receive)
    try:
        yield
    finally:
        signal.disconnect(receive)


@pytest.mark.parametrize("backends", [OURS, DJANGOS, ANYBODY])
@pytest.mark.parametrize("name", ["\xe4nna", "ann\xe1", "a\u0301nna", "an\u200bna", "\x01anna", "anna\u034f"])
def test_another_letter_is_another_name_under_every_collation(
    name: str, backends: list[str], settings: Any
) -> None:
    """Otherwise each spelling would have its own limit of attempts for the same password."""
    settings.AUTHENTICATION_BACKENDS = backends
    make_user("anna")
    with pytest.raises(LoginFailed):
        log_in(request(), username=name, password=PASSWORD)


@pytest.mark.parametrize(("typed", "accepted"), [("ANNA", True), ("\xe4nna", False)])
def test_django_s_own_backend_accepts_no_other_letters(
    monkeypatch: pytest.MonkeyPatch, settings: Any, typed: str, *, accepted: bool
) -> None:
    """The collation of a MariaDB finds "anna" by both names."""
    settings.AUTHENTICATION_BACKENDS = DJANGOS
    anna, model = make_user("anna"), get_user_model()
    monkeypatch.setattr(type(model._default_manager), "get_by_natural_key", lambda self, name: anna)
    failed: list[Any] = []
    with heard(user_login_failed, lambda credentials, **kwargs: failed.append(credentials["username"])):
        if accepted:
            assert log_in(request(), username=typed, password=PASSWORD)[0] == anna
        else:
            with pytest.raises(LoginFailed):
                log_in(request(), username=typed, password=PASSWORD)
    assert failed == ([] if accepted else [typed])


def test_a_user_name_counts_before_any_number_of_addresses() -> None:
    model: Any = get_user_model()
    for index in range(12):
        model._default_manager.create_user(f"squatter{index}", "vic@example.com", "theirs")
    model._default_manager.create_user("vic@example.com", "x@example.com", PASSWORD)
    user, _ = log_in(request(), username="vic@example.com", password=PASSWORD)
    assert user.get_username() == "vic@example.com"
