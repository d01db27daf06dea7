"""The receivers that end sessions after changes of the user."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import base_user, get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.models import Session as DjangoSession
from django.db import transaction
from django.db.models.deletion import Collector

from drf_tessera import receivers, sessions, signals
from drf_tessera.models import Session
from drf_tessera.receivers import checking_password
from drf_tessera.sessions import revoking
from tests.conftest import PASSWORD, make_user


def reasons() -> set[str]:
    return set(Session.objects.values_list("revoked_for", flat=True))


@pytest.fixture
def user(anna: AbstractBaseUser) -> AbstractBaseUser:
    sessions.start(anna)
    sessions.start(anna)
    return get_user_model()._default_manager.get(pk=anna.pk)


class TestPassword:
    def test_a_change_ends_all_sessions(self, user: AbstractBaseUser) -> None:
        user.set_password("another one")
        user.save()
        assert reasons() == {"password_changed"}

    def test_a_save_of_the_field_alone_ends_the_sessions(self, user: AbstractBaseUser) -> None:
        user.set_password("another one")
        user.save(update_fields=["password"])
        assert reasons() == {"password_changed"}

    def test_an_assigned_hash_ends_the_sessions(self, user: AbstractBaseUser) -> None:
        user.password = "md5$salt$e2fc714c4727ee9395f324cd2e7f331f"
        user.save(update_fields=["password"])
        assert reasons() == {"password_changed"}

    def test_a_hash_in_place_of_an_unreadable_one_ends_the_sessions(self, user: AbstractBaseUser) -> None:
        get_user_model()._default_manager.update(password="of another program")
        user.refresh_from_db()
        user.password = "md5$salt$e2fc714c4727ee9395f324cd2e7f331f"
        user.save(update_fields=["password"])
        assert reasons() == {"password_changed"}

    def test_a_save_through_a_proxy_model_ends_the_sessions(self, user: AbstractBaseUser) -> None:
        proxy = type("Proxy", (get_user_model(),), {"__module__": __name__, "Meta": _meta(proxy=True)})
        again = proxy._default_manager.get(pk=user.pk)
        again.set_password("another one")
        again.save()
        assert reasons() == {"password_changed"}

    def test_making_it_unusable_ends_them_too(self, user: AbstractBaseUser) -> None:
        user.set_unusable_password()
        user.save()
        user.refresh_from_db()
        assert reasons() == {"password_changed"}
        sessions.start(user)
        user.set_password("usable again")
        user.save(update_fields=["password"])
        assert reasons() == {"password_changed"}

    @pytest.mark.slow
    def test_a_stronger_hash_of_the_same_one_does_not(self, user: AbstractBaseUser, settings: Any) -> None:
        """Django re-hashes at a login when the preferred hasher has changed. This must log nobody out."""
        settings.PASSWORD_HASHERS = [
            "django.contrib.auth.hashers.ScryptPasswordHasher",
            "django.contrib.auth.hashers.MD5PasswordHasher",
        ]
        before = user.password
        assert user.check_password(PASSWORD)
        user.refresh_from_db()
        assert user.password != before
        assert reasons() == {""}

    @pytest.mark.slow
    @pytest.mark.parametrize("how", ["unusable", "assigned"])
    def test_another_password_ends_the_sessions_even_if_a_stronger_hash_was_due(
        self, user: AbstractBaseUser, settings: Any, how: str
    ) -> None:
        settings.PASSWORD_HASHERS = [
            "django.contrib.auth.hashers.PBKDF2PasswordHasher",
            "django.contrib.auth.hashers.MD5PasswordHasher",
        ]
        user = get_user_model()._default_manager.get(pk=user.pk)
        if how == "unusable":
            user.set_unusable_password()
        else:
            user.password = make_password("another one")
        user.save(update_fields=["password"])
        assert reasons() == {"password_changed"}

    @pytest.mark.parametrize("how", ["unusable", "assigned"])
    def test_also_in_an_instance_that_was_saved_before(self, user: AbstractBaseUser, how: str) -> None:
        """Such an instance has no raw password, like an instance after an upgrade of its hash."""
        user.set_password("another one")
        user.save()
        sessions.start(user)
        if how == "unusable":
            user.set_unusable_password()
        else:
            user.password = "md5$salt$e2fc714c4727ee9395f324cd2e7f331f"
        user.save(update_fields=["password"])
        assert reasons() == {"password_changed"}

    def test_an_unusable_password_that_stays_unusable_ends_no_session(self, user: AbstractBaseUser) -> None:
        """Some backends for single sign-on set an unusable password at each login."""
        user.set_unusable_password()
        user.save()
        grant = sessions.start(user)
        user.set_unusable_password()
        user.save()
        assert Session.objects.get(pk=grant.session_id).revoked_at is None

    @pytest.mark.slow
    def test_two_logins_at_once_that_both_make_it_stronger_end_nothing(
        self, user: AbstractBaseUser, settings: Any
    ) -> None:
        """This happens after an upgrade of Django. The second login finds the hash of the first login."""
        settings.PASSWORD_HASHERS = [
            "django.contrib.auth.hashers.ScryptPasswordHasher",
            "django.contrib.auth.hashers.MD5PasswordHasher",
        ]
        first, second = (get_user_model()._default_manager.get(pk=user.pk) for _ in range(2))
        for found in (first, second):
            with checking_password():
                assert found.check_password(PASSWORD)
        assert reasons() == {""}

    def test_keeping_spares_the_session_that_one_sits_at(self, user: AbstractBaseUser) -> None:
        mine = sessions.start(user)
        user.set_password("another one")
        with revoking.sparing(mine.session_id):
            user.save()
        assert Session.objects.get(pk=mine.session_id).revoked_at is None
        assert Session.objects.filter(revoked_for="password_changed").count() == 2

    def test_saving_something_else_costs_nothing_and_ends_nothing(
        self, user: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(1):
            user.save(update_fields=["last_login"])
        user.save()
        assert reasons() == {""}

    @pytest.mark.django_db(transaction=True)
    def test_a_change_that_is_rolled_back_ends_nothing(self) -> None:
        user = make_user("carol")
        sessions.start(user)
        user.set_password("another one")
        with transaction.atomic():
            user.save()
            assert reasons() == {"password_changed"}
            transaction.set_rollback(True)
        assert reasons() == {""}

    def test_a_save_that_failed_leaves_no_verdict_behind(
        self, user: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = get_user_model()
        user.set_password("another one")

        def fail(*args: Any, **kwargs: Any) -> None:
            raise KeyError

        with monkeypatch.context() as patch:
            patch.setattr(model, "_save_table", fail)
            with pytest.raises(KeyError), transaction.atomic():
                user.save()
        user.save(update_fields=["last_login"])
        assert reasons() == {""}


class TestDeactivation:
    def test_ends_all_sessions(self, user: AbstractBaseUser) -> None:
        user.is_active = False
        user.save()
        assert reasons() == {"user_inactive"}

    def test_activating_again_brings_none_back(self, user: AbstractBaseUser) -> None:
        user.is_active = False
        user.save()
        user.is_active = True
        user.save()
        assert reasons() == {"user_inactive"}


class TestDeletion:
    def test_is_not_blocked_and_is_told(
        self, user: AbstractBaseUser, django_capture_on_commit_callbacks: Any
    ) -> None:
        heard: list[str] = []

        def receive(**kwargs: Any) -> None:
            heard.append(kwargs["reason"])

        signals.session_revoked.connect(receive)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                user.delete()
        finally:
            signals.session_revoked.disconnect(receive)
        assert heard == ["user_deleted", "user_deleted"]
        assert not Session.objects.exists()

    def test_the_deletion_of_a_queryset_is_not_blocked_either(self, user: AbstractBaseUser) -> None:
        get_user_model()._default_manager.all().delete()
        assert not Session.objects.exists()


def test_other_models_are_left_alone(user: AbstractBaseUser) -> None:
    row = Session.objects.all()[0]
    row.save()
    row.delete()
    assert reasons() == {""}


def test_a_new_user_has_nothing_to_end(db: None) -> None:
    assert make_user("dora").pk


def test_fixtures_are_loaded_as_they_are(user: AbstractBaseUser) -> None:
    """``loaddata`` saves raw rows. It restores data, and does not deactivate anybody."""
    user.password = "md5$salt$e2fc714c4727ee9395f324cd2e7f331f"
    user.save_base(raw=True)
    assert reasons() == {""}


def test_a_login_ends_no_session(user: AbstractBaseUser) -> None:
    user_logged_in.send(sender=type(user), request=None, user=user)
    assert reasons() == {""}


def _meta(**options: object) -> type:
    return type("Meta", (), {**options, "app_label": "accounts"})


def test_other_models_are_deleted_by_one_statement_as_ever() -> None:
    """With a receiver for the deletions of every model, Django would first read all rows."""
    collector = Collector(using="default", origin=None)
    assert collector.can_fast_delete(DjangoSession._default_manager.all())
    assert collector.can_fast_delete(Session._default_manager.all())
    assert not collector.can_fast_delete(get_user_model()._default_manager.all())


def test_a_password_check_that_works_in_another_way_is_not_recognised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def check_password(self: Any, raw: str) -> bool:
        raise LookupError(raw)

    monkeypatch.setattr(base_user.AbstractBaseUser, "check_password", check_password)
    assert not receivers.recognises_upgrades()
