"""``tessera_import_simplejwt`` and ``tessera_migrate_check``."""

from __future__ import annotations

import io
import re
import sys
import time
import tracemalloc
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import rest_framework_jwt.settings
import rest_framework_simplejwt.settings
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connection
from django.db.models import QuerySet
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.serializers import TokenRefreshSerializer
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import RefreshToken
from rest_framework_simplejwt.views import TokenRefreshView

from drf_tessera import sessions
from drf_tessera.exceptions import TemporarilyUnavailable
from drf_tessera.legacy import JWT_AUTH, SIMPLE_JWT, Kind, find_name
from drf_tessera.legacy.names import NAMES
from drf_tessera.management.commands.tessera_migrate_check import Command as MigrateCheck
from drf_tessera.management.commands.tessera_prune import Command as Prune
from drf_tessera.models import Session
from drf_tessera.moments import to_timestamp
from tests.compat.originals import simplejwt_token
from tests.servers import PATIENCE, ROOT
from tests.settings import USER_MODEL

MIGRATE = ROOT / "docs" / "migrate"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(USER_MODEL != "auth.User", reason="the user model is not what is tested"),
]


def make_row(user: Any, number: int, *, days: int = 1) -> OutstandingToken:
    now = timezone.now()
    token = simplejwt_token(user, jti=f"jti-{number}") if user else "x"
    return OutstandingToken.objects.create(
        user=user,
        jti=f"jti-{number}",
        token=token,
        created_at=now - timedelta(days=2),
        expires_at=now + timedelta(days=days),
    )


def make_rows(user: Any, count: int) -> None:
    now = timezone.now()
    OutstandingToken.objects.bulk_create(
        OutstandingToken(
            user=user,
            jti=f"many-{number}",
            token="x" * 300,
            created_at=now,
            expires_at=now + timedelta(days=1),
        )
        for number in range(count)
    )


def run(**options: Any) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("tessera_import_simplejwt", stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def refresh(api: APIClient, row: OutstandingToken) -> Any:
    return api.post("/api/token/refresh/", {"refresh": row.token})


@pytest.mark.urls("tests.compat.simplejwt_urls")
def test_each_token_becomes_the_session_that_its_use_would_have_begun(api: APIClient, anna: Any) -> None:
    rows = [make_row(anna, number) for number in range(5)]
    QuerySet(BlacklistedToken).bulk_create([BlacklistedToken(token=rows[0])])  # as simplejwt itself did
    make_row(anna, 5, days=-1)
    make_row(None, 6)
    out, err = run(batch_size=2)
    assert out.startswith("5 sessions written. 0 tokens skipped")
    assert len(err.splitlines()) == 3
    assert err.splitlines()[-1].startswith("[##############################] 100% 5 of 5")
    assert Session.objects.filter(user=anna).count() == 5
    assert sessions.live_sessions(anna.pk).count() == 4
    assert refresh(api, rows[0]).status_code == 401
    assert refresh(api, rows[1]).status_code == 200
    assert Session.objects.count() == 5


@pytest.mark.urls("tests.compat.simplejwt_urls")
@override_settings(USE_TZ=False, TIME_ZONE="Asia/Tokyo")
def test_without_time_zones_simplejwts_moments_are_in_utc(api: APIClient, anna: Any) -> None:
    """simplejwt wrote ``aware_utcnow()``, which is then a naive datetime in UTC, for any ``TIME_ZONE``."""
    now = datetime.now(tz=UTC).replace(tzinfo=None)
    token = simplejwt_token(anna, jti="a")
    row = OutstandingToken.objects.create(
        user=anna, jti="a", token=token, created_at=now, expires_at=now + timedelta(hours=6)
    )
    run()
    session = Session.objects.get()
    assert abs(to_timestamp(session.auth_time) - time.time()) < PATIENCE
    assert abs(to_timestamp(session.kept_until) - time.time() - 6 * 3600) < PATIENCE
    assert refresh(api, row).status_code == 200
    text = str(RefreshToken.for_user(anna))
    mine = OutstandingToken.objects.get(jti=RefreshToken(text)["jti"])
    assert abs(mine.created_at - now) < timedelta(seconds=PATIENCE)
    BlacklistedToken.objects.create(token=row)
    assert refresh(api, row).status_code == 401


@pytest.mark.urls("tests.compat.simplejwt_urls")
def test_a_new_password_ends_what_was_imported(api: APIClient, anna: Any) -> None:
    row = make_row(anna, 1)
    run()
    anna.set_password("another horse")
    anna.save()
    assert refresh(api, row).json()["reason"] == "session_revoked"


@pytest.mark.urls("tests.compat.simplejwt_urls")
def test_a_token_that_was_used_before_the_import_is_left_unchanged(api: APIClient, anna: Any) -> None:
    row = make_row(anna, 1)
    text = refresh(api, row).json()["refresh"]
    assert run()[0].startswith("0 sessions written. 0 tokens skipped")  # its row is the row of its session
    Session.objects.update(rotated_at=timezone.now() - timedelta(minutes=5))
    assert api.post("/api/token/refresh/", {"refresh": text}).status_code == 200


def test_a_second_run_goes_on_where_the_first_one_stopped(anna: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [make_row(anna, number) for number in range(4)]
    calls = []

    def fail(found: Any) -> int:
        calls.append(len(found))
        if len(calls) == 2:
            raise TemporarilyUnavailable
        return sessions.adopt_many(found)

    place = "rest_framework_simplejwt.token_blacklist.management.commands.tessera_import_simplejwt"
    with monkeypatch.context() as patch:
        patch.setattr(f"{place}.adopt_many", fail)
        with pytest.raises(CommandError, match=f"--after {rows[2].pk - 1}"):
            run(batch_size=2)
    assert Session.objects.count() == 2
    assert run(batch_size=2)[0].startswith("2 sessions written. 2 tokens skipped")
    assert run(after=rows[2].pk - 1)[0].startswith("0 sessions written. 2 tokens skipped")


def test_a_user_who_is_deleted_takes_nobody_along(
    anna: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, user in enumerate((anna, bob, anna)):
        make_row(user, number)
    place = "rest_framework_simplejwt.token_blacklist.management.commands.tessera_import_simplejwt"

    def adopt_too_late(found: Any) -> int:
        bob.delete()
        return sessions.adopt_many(found)

    monkeypatch.setattr(f"{place}.adopt_many", adopt_too_late)
    assert run()[0].startswith("2 sessions written. 1 tokens skipped (session exists, or user gone).")


def test_a_user_without_a_row_is_left_out(anna: Any) -> None:
    olds = [
        sessions.LegacyToken(package="x", jti=str(number), issued_at=1, expires_at=2**31) for number in (1, 2)
    ]
    assert sessions.adopt_many([(olds[0], 999_999, False), (olds[1], anna.pk, False)]) == 1
    assert Session.objects.get().user == anna


def test_a_row_of_one_of_our_sessions_is_not_imported(anna: Any) -> None:
    RefreshToken.for_user(anna)
    assert OutstandingToken.objects.count() == 1
    assert run()[0].startswith("0 sessions written. 0 tokens skipped")
    assert Session.objects.count() == 1


@pytest.mark.slow
def test_the_number_of_statements_follows_the_batches(anna: Any) -> None:
    for number in range(40):
        make_row(anna, number)
    counts = []
    for size in (40, 20, 10):
        Session.objects.all().delete()
        with CaptureQueriesContext(
            connection,
        ) as seen:
            run(batch_size=size)
        counts.append(len(seen))
    each = counts[1] - counts[0]
    assert counts[2] - counts[1] == 2 * each


@pytest.mark.long
def test_the_memory_follows_the_batch_and_not_the_table(anna: Any) -> None:
    """``python -m benchmarks.importing`` shows the same with a million rows."""
    peaks = []
    for count in (3000, 9000):
        OutstandingToken.objects.all().delete()
        Session.objects.all().delete()
        make_rows(anna, count)
        tracemalloc.start()
        try:
            run(batch_size=100)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert Session.objects.count() == count
    # A kept row needs more than 300 bytes. The uncollected garbage varies by about 50 bytes per row.
    assert (peaks[1] - peaks[0]) / 6000 < 150


def test_a_batch_of_nothing_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="1 or more"):
        run(batch_size=0)
    assert run()[0].startswith("0 sessions written")


# -- tessera_migrate_check -------------------------------------------------------------------------


def check(**chosen: Any) -> str:
    out = io.StringIO()
    with override_settings(**chosen):
        call_command("tessera_migrate_check", stdout=out)
    return out.getvalue()


@pytest.mark.urls("tests.compat.simplejwt_urls")
def test_it_says_what_would_change() -> None:
    found = check(
        SIMPLE_JWT={"JWK_URL": "x", "AUTH_HEADER_TYPES": ("Bearer",), "NONSENSE": 1},
        JWT_AUTH={"JWT_VERIFY": False},
        REST_AUTH={},
        REST_FRAMEWORK={
            "DEFAULT_AUTHENTICATION_CLASSES": [
                "rest_framework_jwt.authentication.JSONWebTokenAuthentication",
                "rest_framework.authentication.BasicAuthentication",
            ]
        },
    )
    assert "refused SIMPLE_JWT['JWK_URL']: " in found
    assert "same    SIMPLE_JWT['AUTH_HEADER_TYPES']\n" in found
    assert "refused SIMPLE_JWT['NONSENSE']: This key does not exist." in found
    assert "refused JWT_AUTH['JWT_VERIFY']: " in found
    assert "better  REST_FRAMEWORK: rest_framework_jwt.authentication.JSONWebTokenAuthentication" in found
    assert "Basic" not in found
    assert "better  /api/token/refresh/ (TokenRefreshView): " in found
    assert "better  SIMPLE_JWT['ROTATE_REFRESH_TOKENS']: This project does not set the key" in found
    assert "by hand REST_AUTH: docs/migrate/from-dj-rest-auth.md" in found
    assert re.search(r"\d+ names: 1 same, \d+ better, 3 refused\.", found)


def test_a_project_of_none_of_these_packages_has_nothing_to_change() -> None:
    assert check().splitlines()[-1] == "0 names: 0 same, 0 better, 0 refused."


class OwnRefreshSerializer(TokenRefreshSerializer):
    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return super().validate(attrs)


class OwnRefresh(TokenRefreshView):
    serializer_class = OwnRefreshSerializer


class OwnAuthentication(JWTAuthentication):
    pass


class Alone(APIView):
    authentication_classes = (OwnAuthentication,)


class Plain(APIView):
    pass


def test_a_class_that_is_refused_where_it_is_made_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> Any:
        raise ImproperlyConfigured("none of a token_type of your own")

    place = "drf_tessera.management.commands.tessera_migrate_check"
    monkeypatch.setattr(f"{place}.import_string", fail)
    monkeypatch.setattr(f"{place}.walk_views", fail)
    monkeypatch.setattr(f"{place}.find_view_class", fail)
    found = check(REST_FRAMEWORK={"DEFAULT_AUTHENTICATION_CLASSES": ["app.authentication.Own"]})
    assert "refused REST_FRAMEWORK: app.authentication.Own: none of a token_type" in found
    assert "The URLconf cannot be read: " in found


urlpatterns = [
    path("refresh/", TokenRefreshView.as_view(serializer_class=OwnRefreshSerializer)),
    path(
        "own/",
        type("OwnRefreshView", (TokenRefreshView,), {"serializer_class": OwnRefreshSerializer}).as_view(),
    ),
    path("alone/", Alone.as_view()),
    path("plain/", Plain.as_view()),
]


@pytest.mark.urls(__name__)
def test_subclasses_of_their_classes_are_named_too() -> None:
    listed = {"DEFAULT_AUTHENTICATION_CLASSES": [f"{__name__}.OwnAuthentication", "no.such.Class"]}
    found = check(REST_FRAMEWORK=listed)
    assert f"better  REST_FRAMEWORK: {__name__}.OwnAuthentication: No query" in found
    assert "better  /own/ (OwnRefreshSerializer): The serializer overrides validate()." in found
    assert f"better  /alone/ (Alone): {__name__}.OwnAuthentication: No query" in check()
    assert "Plain" not in found


@pytest.mark.parametrize("nothing", [None, {}, {"DEFAULT_AUTHENTICATION_CLASSES": None}])
@pytest.mark.urls("tests.compat.simplejwt_urls")
def test_nothing_that_is_not_written_breaks_it(nothing: Any) -> None:
    with override_settings(REST_FRAMEWORK=nothing):
        out = io.StringIO()
        call_command("tessera_migrate_check", stdout=out)
    assert "/api/token/refresh/" in out.getvalue()


@pytest.mark.urls("no.such.urls")
def test_urls_that_the_old_package_breaks_are_told() -> None:
    """djangorestframework-jwt cannot be imported with any supported Django."""
    found = check(JWT_AUTH={"JWT_VERIFY": False})
    assert "refused JWT_AUTH['JWT_VERIFY']: " in found
    assert "The URLconf cannot be read: No module named 'no'" in found
    assert "after you replace the old package by the new package" in found


def test_a_project_of_drf_jwt_is_told_that_it_is_another_package(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "refused drf-jwt: Keep drf-jwt" in check(JWT_AUTH={"JWT_TOKEN_ID": "off"})
    assert "refused drf-jwt" not in check(JWT_AUTH={"JWT_VERIFY": True})
    monkeypatch.setattr(
        "drf_tessera.management.commands.tessera_migrate_check.is_installed", lambda name: name == "drf-jwt"
    )
    assert "refused drf-jwt: Keep drf-jwt" in check(JWT_AUTH={"JWT_VERIFY": True})


def test_errors_of_check_do_not_stop_it() -> None:
    out, options = io.StringIO(), {"force_color": False, "no_color": True, "skip_checks": False}
    with override_settings(SIMPLE_JWT={"ACCES_TOKEN_LIFETIME": 1}):
        MigrateCheck(stdout=out).execute(**options)
        with pytest.raises(SystemCheckError):
            Prune(stdout=out).execute(**options)
    assert "refused SIMPLE_JWT['ACCES_TOKEN_LIFETIME']" in out.getvalue()


@pytest.mark.parametrize("name", ["knox", "dj_rest_auth"])
def test_apps_that_are_moved_from_by_hand_are_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "INSTALLED_APPS", [*settings.INSTALLED_APPS, name])  # not installed
    assert f"by hand {name}: docs/migrate/from-" in check()


@pytest.mark.urls("tests.compat.simplejwt_urls")
def test_an_explicit_rotation_gets_no_warning() -> None:
    assert "does not set the key" not in check(SIMPLE_JWT={"ROTATE_REFRESH_TOKENS": True})


# -- The tables ------------------------------------------------------------------------------------


def test_every_setting_of_the_originals_is_judged() -> None:
    assert set(SIMPLE_JWT) == set(rest_framework_simplejwt.settings.DEFAULTS)
    assert set(JWT_AUTH) == set(rest_framework_jwt.settings.DEFAULTS)


def test_every_name_of_the_originals_is_judged() -> None:
    """``names.txt`` lists the names that simplejwt 5.5.1 and djangorestframework-jwt 1.11.0 define."""
    names = (Path(__file__).parent / "names.txt").read_text().split()
    assert len(names) > 90
    assert [name for name in names if name not in NAMES] == []


def test_each_name_that_is_not_refused_is_there() -> None:
    names = [name for name in NAMES if NAMES[name].kind is not Kind.REFUSED]
    assert len(names) > 90
    assert [name for name in names if not is_there(name)] == []


def is_there(name: str) -> bool:
    """Return whether a dotted name leads to an object of an installed module."""
    parts = name.split(".")
    places = [".".join(parts[:count]) for count in range(1, len(parts))]
    found: Any = sys.modules[max(place for place in places if find_spec_of(place))]
    for step in parts[found.__name__.count(".") + 1 :]:
        if not hasattr(found, step):
            return False
        found = getattr(found, step)
    return True


def find_spec_of(place: str) -> bool:
    """Return whether a dotted name is a module, and import the module."""
    try:
        import_module(place)
    except ModuleNotFoundError:
        return False
    return True


def test_a_name_is_found_by_what_it_stands_in() -> None:
    assert find_name("rest_framework_jwt.blacklist.models.Anything") == (
        "rest_framework_jwt.blacklist",
        NAMES["rest_framework_jwt.blacklist"],
    )
    assert find_name("somewhere.else") is None


def read_rows(page: Path) -> set[tuple[str, str, str]]:
    row = r"^\| `([^`]+)` \| (same|better|refused) \| ?(.*?) ?\|$"
    return set(re.findall(row, page.read_text(), re.MULTILINE))


@pytest.mark.parametrize(
    ("page", "settings", "package"),
    [
        ("from-simplejwt.md", SIMPLE_JWT, "rest_framework_simplejwt."),
        ("from-djangorestframework-jwt.md", JWT_AUTH, "rest_framework_jwt."),
    ],
)
def test_the_pages_say_what_the_command_says(page: str, settings: Any, package: str) -> None:
    names = {name.removeprefix(package): NAMES[name] for name in NAMES if name.startswith(package)}
    expected = {(name, str(verdict.kind), verdict.text) for name, verdict in {**settings, **names}.items()}
    assert read_rows(MIGRATE / page) == expected
