"""The endpoints, with the test client."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.test import APIClient, APIRequestFactory

from drf_tessera import OptionalJWTAuthentication, sessions
from drf_tessera.models import Session
from drf_tessera.rest.views import LoginView
from drf_tessera.tokens import read_refresh_token
from drf_tessera.tokens.keystore import _get_holder, get_keystore
from tests.conftest import PASSWORD, bearer, log_in

pytestmark = pytest.mark.django_db

GRACE = timedelta(seconds=30)


class NamedUser(serializers.BaseSerializer[Any]):
    """A project's own serializer for the user of a login."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        return {"hello": instance.get_username(), "path": self.context["request"].path}


def age(grace: timedelta = GRACE) -> None:
    """Move the last rotation into the past, so that the grace window has passed without waiting."""
    for row in Session.objects.exclude(rotated_at=None):
        Session.objects.filter(pk=row.pk).update(rotated_at=row.rotated_at - grace)


class TestLogin:
    def test_answers_tokens_and_who_it_is(self, api: APIClient, anna: AbstractBaseUser) -> None:
        body = log_in(api, anna)
        session = Session.objects.get()
        assert {key: body[key] for key in body if key not in {"access", "refresh"}} == {
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_expires_in": 14 * 86400,
            "session": str(session.pk),
            "user": {"id": anna.pk, "username": "anna", "name": "Anna", "email": "anna@example.com"},
        }
        assert str(body["access"]).count(".") == 2
        assert str(body["refresh"]).startswith("tsr_")

    @pytest.mark.django_db(transaction=True)
    def test_costs_three_statements(
        self, api: APIClient, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        """One statement finds the user, one inserts the session, and one sets ``last_login``."""
        with django_assert_num_queries(3):
            log_in(api, anna)

    def test_takes_a_form_too(self, api: APIClient, anna: AbstractBaseUser) -> None:
        answer = api.post(
            "/api/token/", {"email": "Anna@Example.com", "password": PASSWORD}, format="multipart"
        )
        assert answer.status_code == 200

    def test_remembers_the_device(self, api: APIClient, anna: AbstractBaseUser) -> None:
        log_in(api, anna, device="Anna's phone")
        assert Session.objects.get().label == "Anna's phone"

    def test_answers_the_project_s_own_user(
        self, api: APIClient, anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(LoginView, "user_serializer_class", NamedUser)
        assert log_in(api, anna)["user"] == {"hello": "anna", "path": "/api/token/"}

    def test_all_failures_have_the_same_answer(
        self, api: APIClient, anna: AbstractBaseUser, bob: Any
    ) -> None:
        bob.is_active = False
        bob.save()
        answers = [
            api.post("/api/token/", body)
            for body in (
                {"username": "anna", "password": "wrong"},
                {"username": "nobody", "password": PASSWORD},
                {"email": "nobody@example.com", "password": PASSWORD},
                {"username": "bob", "password": PASSWORD},
                {"username": "anna", "password": PASSWORD + " "},
            )
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert {answer.json()["code"] for answer in answers} == {"login_failed"}
        assert len({answer.content for answer in answers}) == 1
        assert {answer["WWW-Authenticate"] for answer in answers} == {'Bearer realm="api"'}

    def test_nothing_may_keep_the_answer(self, api: APIClient, anna: AbstractBaseUser) -> None:
        answer = api.post("/api/token/", {"username": "anna", "password": PASSWORD})
        assert "no-store" in answer["Cache-Control"]
        assert answer["Pragma"] == "no-cache"

    def test_a_bad_token_in_the_header_does_not_matter(self, api: APIClient, anna: AbstractBaseUser) -> None:
        """Clients often send their old token too, and this must not prevent a login."""
        body = {"username": "anna", "password": PASSWORD}
        assert api.post("/api/token/", body, **bearer("rubbish")).status_code == 200

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            ({"password": "x"}, "account_required"),
            ({"username": "a", "email": "b@c.de", "password": "x"}, "account_ambiguous"),
        ],
    )
    def test_wants_one_name(self, api: APIClient, body: dict[str, str], code: str) -> None:
        answer = api.post("/api/token/", body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)


class TestCall:
    def test_costs_no_query(
        self, api: APIClient, anna: AbstractBaseUser, settings: Any, django_assert_num_queries: Any
    ) -> None:
        settings.TESSERA = {"REVOCATION_POLL": 600, "REVOCATION_MAX_STALENESS": 600}
        access = log_in(api, anna)["access"]
        with django_assert_num_queries(1):  # a new process reads the revocations once
            api.get("/me/", **bearer(access))
        with django_assert_num_queries(0):
            assert api.get("/me/", **bearer(access)).json() == {"id": str(anna.pk)}

    @pytest.mark.parametrize("name", ["the setting", "the class"])
    def test_costs_one_query_where_the_project_wants_it_strict(
        self, api: APIClient, anna: AbstractBaseUser, settings: Any, django_assert_num_queries: Any, name: str
    ) -> None:
        settings.TESSERA = {"USER": "database"} if name == "the setting" else {}
        access = log_in(api, anna)["access"]
        with django_assert_num_queries(1):
            answer = api.get("/me/" if name == "the setting" else "/strict/", **bearer(access))
        assert answer.json() == {"id": str(anna.pk)}

    def test_the_scheme_has_no_case(self, api: APIClient, anna: AbstractBaseUser) -> None:
        access = log_in(api, anna)["access"]
        assert api.get("/me/", HTTP_AUTHORIZATION=f"bEARER   {access} ").status_code == 200

    def test_the_prefix_is_the_project_s(self, api: APIClient, anna: AbstractBaseUser, settings: Any) -> None:
        settings.TESSERA = {"HEADER_PREFIX": "JWT"}
        access = log_in(api, anna)["access"]
        assert api.get("/me/", HTTP_AUTHORIZATION=f"JWT {access}").status_code == 200
        assert log_in(api, anna)["token_type"] == "JWT"
        answer = api.get("/me/", **bearer(access))
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'JWT realm="api"')

    def test_without_a_token_it_is_401_with_a_challenge(self, api: APIClient) -> None:
        answer = api.get("/me/")
        assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="api"')

    @pytest.mark.parametrize("header", ["Basic YTpi", "Bearerx", "", "Digest a=b"])
    def test_another_scheme_is_not_ours_to_judge(self, api: APIClient, header: str) -> None:
        answer = api.get("/me/", HTTP_AUTHORIZATION=header)
        assert answer["WWW-Authenticate"] == 'Bearer realm="api"'

    @pytest.mark.parametrize("header", ["Bearer", "Bearer ", "Bearer a b", "Bearer a\tb", "Bearer \xe9"])
    def test_a_malformed_header_is_told_apart_from_a_bad_token(self, api: APIClient, header: str) -> None:
        answer = api.get("/me/", HTTP_AUTHORIZATION=header)
        assert answer.status_code == 401
        assert answer.json()["code"] == "header_malformed"
        assert 'error="invalid_request"' in answer["WWW-Authenticate"]

    def test_a_bad_token_is_challenged_as_rfc_6750_says(self, api: APIClient) -> None:
        answer = api.get("/me/", **bearer("rubbish"))
        assert answer.status_code == 401
        assert answer.json() == {
            "detail": "The access token is not a well-formed JWT.",
            "code": "token_malformed",
        }
        assert answer["WWW-Authenticate"] == (
            'Bearer realm="api", error="invalid_token", '
            'error_description="The access token is not a well-formed JWT."'
        )

    def test_a_logout_counts_at_once(self, api: APIClient, anna: AbstractBaseUser) -> None:
        body = log_in(api, anna)
        api.post("/api/token/revoke/", {"refresh": body["refresh"]})
        answer = api.get("/me/", **bearer(body["access"]))
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")

    @pytest.mark.parametrize("path", ["/strict/", "/name/"])
    def test_an_inactive_user_is_out_when_the_row_is_read(
        self, api: APIClient, anna: AbstractBaseUser, path: str
    ) -> None:
        """``update()`` sends no signal, so only the row shows the deactivation."""
        access = log_in(api, anna)["access"]
        type(anna)._default_manager.update(is_active=False)
        answer = api.get(path, **bearer(access))
        assert (answer.status_code, answer.json()["code"]) == (401, "user_inactive")
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]

    def test_a_deactivated_user_is_out_at_once(self, api: APIClient, anna: AbstractBaseUser) -> None:
        access = log_in(api, anna)["access"]
        anna.is_active = False
        anna.save()
        answer = api.get("/me/", **bearer(access))
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")

    def test_a_deleted_user_is_out_at_once(self, api: APIClient, anna: AbstractBaseUser) -> None:
        access = log_in(api, anna)["access"]
        anna.delete()
        assert api.get("/me/", **bearer(access)).json()["code"] == "session_ended"
        assert api.get("/strict/", **bearer(access)).json()["code"] == "user_gone"

    def test_a_session_that_is_unknown_is_out_where_the_database_is_asked(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        access = log_in(api, anna)["access"]
        Session.objects.all().delete()
        assert api.get("/strict/", **bearer(access)).json()["code"] == "session_ended"


class TestOptional:
    def test_a_request_that_was_not_refused_has_no_reason(self, anna: AbstractBaseUser) -> None:
        for headers in ({}, bearer(sessions.start(anna).access)):
            request = Request(APIRequestFactory().get("/", **headers))
            OptionalJWTAuthentication().authenticate(request)
            assert request.token_error is None

    def test_greets_whom_it_knows(self, api: APIClient, anna: AbstractBaseUser) -> None:
        access = log_in(api, anna)["access"]
        assert api.get("/public/", **bearer(access)).json() == {"id": str(anna.pk), "reason": None}

    def test_a_bad_token_means_anonymous_with_the_reason(self, api: APIClient) -> None:
        answer = api.get("/public/", **bearer("rubbish"))
        assert (answer.status_code, answer.json()) == (200, {"id": None, "reason": "token_malformed"})

    def test_no_token_has_no_reason(self, api: APIClient) -> None:
        assert api.get("/public/").json() == {"id": None, "reason": None}


class TestRefresh:
    def test_answers_both_tokens_in_one_statement(
        self, api: APIClient, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        body = log_in(api, anna)
        with django_assert_num_queries(1):
            answer = api.post("/api/token/refresh/", {"refresh": body["refresh"]})
        assert set(answer.json()) == {
            "access",
            "refresh",
            "token_type",
            "expires_in",
            "refresh_expires_in",
            "session",
        }
        assert answer.json()["refresh"] != body["refresh"]
        assert "no-store" in answer["Cache-Control"]

    def test_within_the_window_the_answer_says_that_nothing_was_rotated(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        body = log_in(api, anna)
        first = api.post("/api/token/refresh/", {"refresh": body["refresh"]}).json()
        assert "rotated" not in first
        second = api.post("/api/token/refresh/", {"refresh": body["refresh"]}).json()
        assert second["rotated"] is False
        assert second["refresh"] not in {body["refresh"], first["refresh"]}
        third = api.post("/api/token/refresh/", {"refresh": second["refresh"]}).json()
        assert (third["rotated"], third["refresh"]) == (False, second["refresh"])

    @pytest.mark.slow
    @pytest.mark.parametrize("stored", [0, 1, 2])
    def test_a_client_may_store_the_refresh_token_of_any_answer(
        self, api: APIClient, anna: AbstractBaseUser, stored: int
    ) -> None:
        text = log_in(api, anna)["refresh"]
        for _ in range(8):
            answers = [api.post("/api/token/refresh/", {"refresh": text}).json() for _ in range(3)]
            text = answers[stored]["refresh"]
            age()
        assert Session.objects.get().revoked_at is None

    def test_two_branches_after_the_window_are_reuse(self, api: APIClient, anna: AbstractBaseUser) -> None:
        text = log_in(api, anna)["refresh"]
        owner, thief = (
            api.post("/api/token/refresh/", {"refresh": text}).json()["refresh"] for _ in range(2)
        )
        age()
        assert api.post("/api/token/refresh/", {"refresh": owner}).status_code == 200
        assert api.post("/api/token/refresh/", {"refresh": thief}).json()["code"] == "refresh_reused"

    def test_a_lost_answer_is_repeated_as_a_rotation(self, api: APIClient, anna: AbstractBaseUser) -> None:
        """Clients store its refresh token, because it says nothing of ``rotated``."""
        text = log_in(api, anna)["refresh"]
        api.post("/api/token/refresh/", {"refresh": text})
        age()
        answers = [api.post("/api/token/refresh/", {"refresh": text}).json() for _ in range(2)]
        assert all("rotated" not in answer for answer in answers)
        assert len({text, *(answer["refresh"] for answer in answers)}) == 3
        age(timedelta(days=7))
        assert api.post("/api/token/refresh/", {"refresh": answers[1]["refresh"]}).status_code == 200

    def test_recoveries_that_are_used_up_are_a_401_that_names_no_theft(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        text = log_in(api, anna)["refresh"]
        for _ in range(6):
            assert api.post("/api/token/refresh/", {"refresh": text}).status_code == 200
            age(timedelta(days=7))
        answer = api.post("/api/token/refresh/", {"refresh": text})
        assert (answer.status_code, answer.json()["code"]) == (401, "refresh_lost")
        assert "log in again" in answer.json()["detail"]
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]
        assert Session.objects.get().revoked_for == "refresh_lost"

    def test_reuse_is_a_401_that_ends_the_session(self, api: APIClient, anna: AbstractBaseUser) -> None:
        first = log_in(api, anna)
        second = api.post("/api/token/refresh/", {"refresh": first["refresh"]}).json()
        age()
        api.post("/api/token/refresh/", {"refresh": second["refresh"]})
        answer = api.post("/api/token/refresh/", {"refresh": first["refresh"]})
        assert (answer.status_code, answer.json()["code"]) == (401, "refresh_reused")
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]
        assert api.get("/me/", **bearer(second["access"])).status_code == 401

    def test_a_forged_one_costs_no_query(
        self, api: APIClient, anna: AbstractBaseUser, django_assert_num_queries: Any
    ) -> None:
        text = str(log_in(api, anna)["refresh"])
        with django_assert_num_queries(0):
            answer = api.post("/api/token/refresh/", {"refresh": text[:20] + "AAAA" + text[24:]})
        assert (answer.status_code, answer.json()["code"]) == (401, "refresh_invalid")

    def test_an_access_token_is_refused_as_a_refresh_token(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        answer = api.post("/api/token/refresh/", {"refresh": log_in(api, anna)["access"]})
        assert (answer.status_code, answer.json()["code"]) == (401, "refresh_invalid")

    @pytest.mark.django_db(transaction=True)
    def test_under_atomic_requests_the_end_of_a_stolen_session_is_committed(
        self, api: APIClient, monkeypatch: pytest.MonkeyPatch, transactional_db: None
    ) -> None:
        from tests.conftest import make_user

        user = make_user("carol")
        monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", True)
        first = log_in(api, user)
        second = api.post("/api/token/refresh/", {"refresh": first["refresh"]}).json()
        age()
        assert api.post("/api/token/refresh/", {"refresh": second["refresh"]}).status_code == 200
        assert api.post("/api/token/refresh/", {"refresh": first["refresh"]}).status_code == 401
        assert Session.objects.get().revoked_for == "refresh_reused"
        assert api.get("/me/", **bearer(second["access"])).status_code == 401


class TestVerify:
    def test_tells_what_the_token_says(self, api: APIClient, anna: AbstractBaseUser) -> None:
        body = log_in(api, anna)
        answer = api.post("/api/token/verify/", {"token": body["access"]})
        assert answer.status_code == 200
        assert answer.json()["claims"]["sub"] == str(anna.pk)
        assert answer.json()["claims"]["sid"] == body["session"]

    def test_says_no_after_a_logout(self, api: APIClient, anna: AbstractBaseUser) -> None:
        body = log_in(api, anna)
        sessions.revoke_all(anna)
        answer = api.post("/api/token/verify/", {"token": body["access"]})
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")

    def test_names_a_refresh_token_in_place_of_an_access_token(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        answer = api.post("/api/token/verify/", {"token": log_in(api, anna)["refresh"]})
        assert answer.status_code == 401
        assert "refresh token" in answer.json()["detail"]


class TestRevoke:
    def test_the_refresh_token_logs_out_even_with_a_bad_access_token(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        body = log_in(api, anna)
        answer = api.post("/api/token/revoke/", {"refresh": body["refresh"]}, **bearer("expired.or.worse"))
        assert (answer.status_code, answer.json()) == (200, {"revoked": True})
        assert Session.objects.get().revoked_for == "logout"

    def test_by_the_access_token(self, api: APIClient, anna: AbstractBaseUser) -> None:
        body = log_in(api, anna)
        assert api.post("/api/token/revoke/", **bearer(body["access"])).json() == {"revoked": True}
        answer = api.post("/api/token/revoke/", **bearer(body["access"]))
        assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")

    def test_a_second_logout_succeeds_and_revokes_nothing(
        self, api: APIClient, anna: AbstractBaseUser
    ) -> None:
        body = {"refresh": log_in(api, anna)["refresh"]}
        api.post("/api/token/revoke/", body)
        answer = api.post("/api/token/revoke/", body)
        assert (answer.status_code, answer.json()) == (200, {"revoked": False})

    def test_by_nothing_is_a_400(self, api: APIClient) -> None:
        answer = api.post("/api/token/revoke/")
        assert (answer.status_code, answer.json()["code"]) == (400, "token_missing")

    @pytest.mark.slow
    def test_an_expired_access_token_alone_is_not_enough(
        self, api: APIClient, anna: AbstractBaseUser, settings: Any
    ) -> None:
        settings.TESSERA = {"ACCESS_LIFETIME": 1}
        access = log_in(api, anna)["access"]
        time.sleep(1.1)
        answer = api.post("/api/token/revoke/", **bearer(access))
        assert (answer.status_code, answer.json()["code"]) == (401, "token_expired")
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]


class TestSessions:
    def test_lists_the_caller_s_own(self, api: APIClient, anna: AbstractBaseUser, bob: Any) -> None:
        log_in(api, bob)
        phone = log_in(api, anna, device="phone")
        laptop = api.post(
            "/api/token/",
            {"username": "anna", "password": PASSWORD},
            HTTP_USER_AGENT="Firefox",
            REMOTE_ADDR="192.0.2.7",
        ).json()
        found = api.get("/api/token/sessions/", **bearer(phone["access"])).json()
        assert [(item["id"], item["device"], item["ip"], item["current"]) for item in found] == [
            (laptop["session"], "Firefox", "192.0.2.7", False),
            (phone["session"], "phone", "127.0.0.1", True),
        ]
        assert set(found[0]) == {
            "id",
            "current",
            "personal",
            "actor",
            "device",
            "scope",
            "ip",
            "started_at",
            "last_used_at",
            "idle_expires_at",
            "expires_at",
        }

    def test_last_use_is_the_last_refresh(self, api: APIClient, anna: AbstractBaseUser) -> None:
        body = log_in(api, anna)
        Session.objects.update(created_at=timezone.now() - timedelta(hours=1))
        later = api.post("/api/token/refresh/", {"refresh": body["refresh"]}).json()
        (found,) = api.get("/api/token/sessions/", **bearer(later["access"])).json()
        assert found["last_used_at"] > found["started_at"]

    def test_ended_and_expired_ones_are_not_listed(self, api: APIClient, anna: AbstractBaseUser) -> None:
        sessions.revoke(sessions.start(anna).session_id)
        sessions.start(anna, now=timezone.now() - timedelta(days=15))
        body = log_in(api, anna)
        found = api.get("/api/token/sessions/", **bearer(body["access"])).json()
        assert [item["id"] for item in found] == [body["session"]]

    def test_ends_one(self, api: APIClient, anna: AbstractBaseUser) -> None:
        mine, other = log_in(api, anna), log_in(api, anna)
        path = f"/api/token/sessions/{other['session']}/"
        assert api.delete(path, **bearer(mine["access"])).status_code == 204
        answer = api.delete(path, **bearer(mine["access"]))
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
        assert api.get("/me/", **bearer(mine["access"])).status_code == 200
        assert api.get("/me/", **bearer(other["access"])).status_code == 401

    def test_nobody_ends_or_finds_another_user_s(
        self, api: APIClient, anna: AbstractBaseUser, bob: AbstractBaseUser
    ) -> None:
        mine, foreign = log_in(api, anna), log_in(api, bob)
        answers = [
            api.delete(f"/api/token/sessions/{key}/", **bearer(mine["access"]))
            for key in (foreign["session"], uuid4())
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
        assert api.get("/me/", **bearer(foreign["access"])).status_code == 200

    def test_ends_all_others(self, api: APIClient, anna: AbstractBaseUser) -> None:
        mine, other = log_in(api, anna), log_in(api, anna)
        assert api.delete("/api/token/sessions/others/", **bearer(mine["access"])).json() == {"revoked": 1}
        assert api.get("/me/", **bearer(mine["access"])).status_code == 200
        assert api.get("/me/", **bearer(other["access"])).status_code == 401

    def test_ends_all(self, api: APIClient, anna: AbstractBaseUser) -> None:
        mine, _ = log_in(api, anna), log_in(api, anna)
        assert api.delete("/api/token/sessions/", **bearer(mine["access"])).json() == {"revoked": 2}
        assert api.get("/me/", **bearer(mine["access"])).status_code == 401

    @pytest.mark.parametrize("path", ["", "others/", "849aebe4-0d65-4111-b93e-565e687bec99/"])
    def test_needs_a_token(self, api: APIClient, path: str) -> None:
        answer = api.delete(f"/api/token/sessions/{path}")
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


def test_a_token_of_a_session_that_moved_on_still_counts(api: APIClient, anna: AbstractBaseUser) -> None:
    """An access token is valid until its own end, also after a refresh."""
    body = log_in(api, anna)
    api.post("/api/token/refresh/", {"refresh": body["refresh"]})
    assert api.get("/me/", **bearer(body["access"])).status_code == 200
    assert read_refresh_token(str(body["refresh"])).generation == 0


def test_a_refresh_token_of_null_means_the_one_in_the_header(api: APIClient, anna: AbstractBaseUser) -> None:
    access = log_in(api, anna)["access"]
    assert api.post("/api/token/revoke/", {"refresh": None}, **bearer(access)).json() == {"revoked": True}


def test_a_malformed_session_id_is_our_404(api: APIClient, anna: AbstractBaseUser) -> None:
    answer = api.delete("/api/token/sessions/xyz/", **bearer(log_in(api, anna)["access"]))
    assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")


def test_a_token_is_remembered_in_one_spelling_alone(api: APIClient, anna: AbstractBaseUser) -> None:
    """Otherwise one token could fill the whole cache of a process."""
    _get_holder.forget()
    access = log_in(api, anna)["access"]
    for header in (
        f"Bearer  {access}",
        f"bearer {access}",
        f"Bearer {' ' * 5000}{access}",
        f"Bearer {access} ",
    ):
        assert api.get("/me/", HTTP_AUTHORIZATION=header).status_code == 200
    assert len(get_keystore().verified) == 0
    api.get("/me/", **bearer(access))
    assert len(get_keystore().verified) == 1
