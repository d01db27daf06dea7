"""User names and addresses: as people type them, and from columns of any kind."""

from __future__ import annotations

import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.forms import UsernameField
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import DataError, OperationalError
from django.test import RequestFactory
from hypothesis import example, given
from hypothesis import strategies as st

from drf_tessera.backends import EmailBackend
from drf_tessera.database import is_unreadable, suppress_unreadable
from drf_tessera.exceptions import LoginFailed
from drf_tessera.login import log_in
from drf_tessera.users import MAX_NAME_LENGTH, can_read, clean_name, find_email_field, fold_name, read_email
from tests.conftest import PASSWORD, make_user

User = get_user_model()
OURS, DJANGOS = "drf_tessera.backends.EmailBackend", "django.contrib.auth.backends.ModelBackend"


@given(st.text())
@example("anna ")
@example("\u00a0anna\u2003")
@example("a\u0301nna")
@example("\uff41\uff4e\uff4e\uff41")
@example("\ufb03" * MAX_NAME_LENGTH)
def test_a_name_is_read_as_by_djangos_own_form(text: str) -> None:
    form = UsernameField(max_length=MAX_NAME_LENGTH, required=False)
    assert clean_name(text) == form.to_python(text)


def test_a_text_that_is_too_long_for_a_name_is_not_converted() -> None:
    long = "\ufb03" * (MAX_NAME_LENGTH + 1)
    assert clean_name(long) == long
    assert fold_name(long) == long.casefold()
    assert clean_name(4711) == 4711


@given(st.text(max_size=40))
def test_spellings_of_one_account_share_one_budget(text: str) -> None:
    for spelling in (f" {text}\u00a0", text.upper(), unicodedata.normalize("NFD", text)):
        if clean_name(spelling).casefold() == clean_name(text).casefold():
            assert fold_name(spelling) == fold_name(text)
    assert fold_name(f" {text}\u00a0") == fold_name(text)


TYPED = ["anna ", "\u00a0anna", "\uff41\uff4e\uff4e\uff41", "anna\u3000"]


@pytest.mark.django_db
@pytest.mark.parametrize("backend", [OURS, DJANGOS])
@pytest.mark.parametrize("name", TYPED)
def test_a_name_logs_in_as_people_type_it(
    anna: AbstractBaseUser, settings: Any, backend: str, name: str
) -> None:
    settings.AUTHENTICATION_BACKENDS = [backend]
    request: Any = RequestFactory().post("/")
    assert log_in(request, username=name, password=PASSWORD)[0] == anna
    if backend == OURS:
        address = f"{name.strip()}@EXAMPLE.com "
        assert log_in(request, email=address, password=PASSWORD)[0] == anna
        assert log_in(request, username=address, password=PASSWORD)[0] == anna


@pytest.mark.django_db
def test_a_decomposed_letter_is_the_letter(anna: AbstractBaseUser) -> None:
    user = make_user("\xe4nne")
    request: Any = RequestFactory().post("/")
    assert log_in(request, username="a\u0308nne", password=PASSWORD)[0] == user


# -- Columns that are not texts --------------------------------------------------------------------


@pytest.fixture
def _numbers_for_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User, "USERNAME_FIELD", "id")
    monkeypatch.setattr(
        type(User._default_manager), "get_by_natural_key", lambda self, name: self.get(id=name)
    )


@pytest.mark.django_db
@pytest.mark.usefixtures("_numbers_for_names")
@pytest.mark.parametrize("backend", [OURS, DJANGOS])
def test_a_name_that_the_column_cannot_read_fails_like_a_wrong_password(
    anna: AbstractBaseUser, settings: Any, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUTHENTICATION_BACKENDS = [backend]
    hashed: list[str] = []
    original = User.set_password

    def count(self: Any, password: str) -> None:
        hashed.append(password)
        original(self, password)

    monkeypatch.setattr(User, "set_password", count)
    request: Any = RequestFactory().post("/")
    assert log_in(request, username=f"0{anna.pk}", password=PASSWORD)[0] == anna
    for name in ("anna", "1e9", "9" * 90, "\ud800", "\0"):
        hashed.clear()
        with pytest.raises(LoginFailed):
            log_in(request, username=name, password=PASSWORD)
        assert hashed == [PASSWORD]


@pytest.mark.django_db
@pytest.mark.usefixtures("_numbers_for_names")
def test_an_integer_has_one_budget_for_all_its_spellings() -> None:
    assert {fold_name(text) for text in ("42", " 042", "+42", "4_2", "\u0664\u0662")} == {"42"}
    assert fold_name("Anna") == "anna"


def test_a_decimal_has_one_budget_for_all_its_spellings(monkeypatch: pytest.MonkeyPatch) -> None:
    field: Any = User._meta.get_field("username")
    monkeypatch.setattr(field, "to_python", Decimal)
    assert fold_name("4711.5") == fold_name("4711.50")


class Broken(ModelBackend):
    """A backend of a project with a mistake of its own."""

    def authenticate(self, request: Any, username: Any = None, password: Any = None, **kwargs: Any) -> Any:
        raise TypeError("a mistake")


@pytest.mark.django_db
@pytest.mark.parametrize("given", [{"username": "anna"}, {"email": "anna@example.com"}])
def test_a_mistake_in_a_backend_is_not_hidden(settings: Any, given: dict[str, str]) -> None:
    settings.AUTHENTICATION_BACKENDS = ["tests.users.test_names.Broken"]
    with pytest.raises(TypeError, match="a mistake"):
        log_in(RequestFactory().post("/"), password=PASSWORD, **given)  # type: ignore[arg-type]


class Careless(ModelBackend):
    """A backend that finds several users, or an error of the database."""

    error: Exception = User.MultipleObjectsReturned()

    def authenticate(self, request: Any, **credentials: Any) -> Any:
        raise self.error


@pytest.mark.django_db
def test_a_name_of_several_users_is_a_failed_login(settings: Any) -> None:
    settings.AUTHENTICATION_BACKENDS = ["tests.users.test_names.Careless"]
    with pytest.raises(LoginFailed):
        log_in(RequestFactory().post("/"), username="anna", password=PASSWORD)


@pytest.mark.django_db
def test_an_address_that_the_column_cannot_read_is_a_failed_login(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.AUTHENTICATION_BACKENDS = ["tests.users.test_names.Careless"]
    monkeypatch.setattr(Careless, "error", OperationalError(1267, "Illegal mix of collations"))
    monkeypatch.setattr("drf_tessera.login.can_read", lambda lookup, value: lookup != "email__iexact")
    with pytest.raises(LoginFailed):
        log_in(RequestFactory().post("/"), email="x", password=PASSWORD)
    monkeypatch.setattr("drf_tessera.login.can_read", lambda lookup, value: True)
    with pytest.raises(OperationalError):
        log_in(RequestFactory().post("/"), email="x", password=PASSWORD)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ValueError(), True),
        (TypeError(), True),
        (OverflowError(), True),
        (ValidationError("x"), True),
        (DataError(), True),
        (OperationalError(1267, "x"), True),
        (OperationalError(1366, "x"), True),
        (OperationalError(2006, "gone away"), False),
        (OperationalError(), False),
        (KeyError(), False),
    ],
)
def test_errors_that_say_that_a_column_cannot_read_a_value(error: Exception, expected: bool) -> None:
    assert is_unreadable(error) is expected
    if expected:
        with suppress_unreadable():
            raise error
    else:
        with pytest.raises(type(error)), suppress_unreadable():
            raise error


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("lookup", "value", "expected"), [("id", "anna", False), ("id", "1", True), ("email__iexact", "x", True)]
)
def test_a_column_reads_only_values_of_its_kind(lookup: str, value: str, expected: bool) -> None:
    assert can_read(lookup, value) is expected


@pytest.mark.parametrize("name", [None, "", "groups", "nothing", "is_staff"])
def test_a_field_that_is_not_an_address_is_not_used(name: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(User, "EMAIL_FIELD", name)
    field: Any = User._meta.get_field("is_staff")
    monkeypatch.setattr(field, "get_lookup", lambda lookup: None)
    assert find_email_field() is None
    assert read_email(User(pk=1)) == ("False" if name == "is_staff" else "")


@pytest.mark.django_db
def test_a_user_name_that_several_have_logs_nobody_in(
    anna: AbstractBaseUser, bob: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "USERNAME_FIELD", "last_name")
    assert EmailBackend().authenticate(None, username="", password=PASSWORD) is None
