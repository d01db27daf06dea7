"""The audit trail: one structured record for each event, and no secret in any of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from drf_tessera import audit, sessions
from drf_tessera.models import Session
from drf_tessera.tokens import verify_access_token
from tests.conftest import PASSWORD, bearer, log_in, make_user

pytestmark = pytest.mark.django_db(transaction=True)

AGENT = {"HTTP_USER_AGENT": "okhttp/5", "REMOTE_ADDR": "192.0.2.7"}
STANDARD = set(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}


@pytest.fixture
def trail(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The records of a project whose logging configuration turns the audit trail on."""
    with caplog.at_level(logging.INFO, logger="drf_tessera.audit"):
        audit.connect()
        yield caplog
    audit.connect()


def read_fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD}


def read_trail(trail: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [read_fields(record) for record in trail.records if record.name == "drf_tessera.audit"]


def test_each_event_has_one_record_with_its_ids_and_the_client(
    api: APIClient, anna: AbstractBaseUser, trail: pytest.LogCaptureFixture
) -> None:
    api.defaults.update(AGENT)
    grant = log_in(api, anna)
    api.post("/api/token/refresh/", {"refresh": grant["refresh"]})
    api.post("/api/token/revoke/", {"refresh": grant["refresh"]})
    who = {"session_id": grant["session"], "sub": str(anna.pk)}
    where = {"address": "192.0.2.7", "user_agent": "okhttp/5"}
    assert read_trail(trail) == [
        {"event": "session_started", **who, **where, "device": "okhttp", "amr": "pwd"},
        {"event": "session_refreshed", **who, **where, "outcome": "rotated"},
        {"event": "session_revoked", **who, **where, "reason": "logout"},
    ]
    told = f'session_revoked address="192.0.2.7" user_agent="okhttp/5" session_id="{grant["session"]}"'
    assert trail.messages[-1].startswith(told)


def cause_each_event(api: APIClient, user: AbstractBaseUser, settings: Any) -> list[str]:
    """Return the secrets that were sent or answered while each event was caused."""
    settings.TESSERA = {"REFRESH_GRACE": 0, "LOGIN_RATE_PER_ACCOUNT": "3/min", "REFRESH_RECOVERIES": 1}
    found = []
    for _ in range(2):
        grant = log_in(api, user)
        found += [str(grant["access"]), str(grant["refresh"])]
        tokens = [str(grant["refresh"])]
        for _ in range(2):
            tokens.append(api.post("/api/token/refresh/", {"refresh": tokens[-1]}).json()["refresh"])
        api.post("/api/token/refresh/", {"refresh": tokens[0]})
        found += tokens
    lost = str(log_in(api, user)["refresh"])
    for _ in range(4):
        api.post("/api/token/refresh/", {"refresh": lost})
    api.get("/me/", **bearer(found[0]))
    typed = "a password in the field of the name"
    for _ in range(4):
        api.post("/api/token/", {"username": typed, "password": "not the password"})
    here = sessions.start(user).access
    there = sessions.mint_again(verify_access_token(here), audience="shop.example.com").access
    found += [here, there]
    acting = sessions.impersonate(user, make_user("bob"), 10)
    found += [acting.access, acting.refresh or ""]
    sessions.revoke_everybody()
    return [*found, lost, typed, PASSWORD, "not the password"]


@pytest.mark.slow
def test_no_event_has_a_secret(
    api: APIClient, anna: AbstractBaseUser, trail: pytest.LogCaptureFixture, settings: Any
) -> None:
    secrets = cause_each_event(api, anna, settings)
    assert {fields["event"] for fields in read_trail(trail)} == set(audit.EVENTS)
    hashes = [bytes(row.secret_hash).hex() for row in Session.objects.all()]
    shown = [record.getMessage() + repr(vars(record)) for record in trail.records]
    for secret in [*secrets, *hashes]:
        assert len(secret) > 10
        assert not [text for text in shown if secret in text]


def test_a_typed_name_is_a_digest_that_is_the_same_for_each_spelling(settings: Any) -> None:
    digest = audit.digest_name("Anna")
    assert digest == audit.digest_name("anna")
    assert digest != audit.digest_name("bob")
    settings.SECRET_KEY = "another secret key of this test, and of nothing else"
    assert digest != audit.digest_name("anna")


def test_a_stranger_cannot_forge_a_line(
    api: APIClient, anna: AbstractBaseUser, trail: pytest.LogCaptureFixture
) -> None:
    api.defaults.update({**AGENT, "HTTP_USER_AGENT": 'x" session_id="forged\nsession_revoked'})
    log_in(api, anna)
    (message,) = (text for text in trail.messages if text.startswith("session_started"))
    assert "\n" not in message
    assert 'user_agent="x\\" session_id=\\"forged session_revoked"' in message


@pytest.mark.usefixtures("same_second")
def test_the_admin_names_the_person_who_acts(
    client: Client, anna: AbstractBaseUser, trail: pytest.LogCaptureFixture
) -> None:
    root = make_user("root", is_staff=True, is_superuser=True)
    client.force_login(root, "drf_tessera.backends.EmailBackend")
    keys = [sessions.start(anna).session_id for _ in range(3)]
    data = {"action": "end_sessions", "_selected_action": [str(keys[0])]}
    client.post("/admin/tessera/session/", data, **AGENT)
    client.post(f"/admin/tessera/session/{keys[1]}/end/", **AGENT)
    client.post("/admin/tessera/session/end-all/", **AGENT)
    ended = [fields for fields in read_trail(trail) if fields.get("reason") == "admin"]
    assert [fields["event"] for fields in ended] == ["session_revoked", "session_revoked", "sessions_cleared"]
    assert {(fields["actor"], fields["address"]) for fields in ended} == {(str(root.pk), "192.0.2.7")}


def test_an_event_whose_level_is_off_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def list_connected() -> set[str]:
        found = {event: signal.receivers for event, (signal, _) in audit.EVENTS.items()}
        uid = "tessera audit {}".format
        return {event for event, found in found.items() if any(uid(event) in entry[0] for entry in found)}

    with caplog.at_level(logging.WARNING, logger="drf_tessera.audit"):
        audit.connect()
        warnings = {"refresh_reused", "refresh_lost", "login_throttled", "sessions_cleared"}
        assert list_connected() == warnings | {"session_impersonated"}
        audit.record("an_event")
    audit.connect()
    assert caplog.records == []


def test_the_trail_makes_no_query(
    api: APIClient, anna: AbstractBaseUser, trail: pytest.LogCaptureFixture
) -> None:
    log_in(api, anna)  # the first one reads what a process keeps
    with CaptureQueriesContext(connection) as found:
        log_in(api, anna)
    assert len(found) == 3
    assert len(read_trail(trail)) == 2


def test_a_project_records_its_own_events(trail: pytest.LogCaptureFixture) -> None:
    audit.record("exported", level=logging.WARNING, rows=5, who=None)
    assert read_trail(trail) == [{"event": "exported", "rows": 5, "who": None}]
    assert trail.messages == ["exported rows=5 who=null"]
