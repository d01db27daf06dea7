"""The admin shows the keys of the database, changes nothing, and never shows a private part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings

from drf_tessera.conf import get_settings, use_tenant
from drf_tessera.keys import list_keys, open_private, revoke_key, rotate_keys
from drf_tessera.models import SigningKey
from tests.conftest import make_user
from tests.keys.conftest import DATABASE

pytestmark = pytest.mark.django_db
LIST = "/admin/tessera/signingkey/"


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(
        make_user("root", is_staff=True, is_superuser=True), "drf_tessera.backends.EmailBackend"
    )
    return client


@pytest.fixture
def _keys() -> Iterator[None]:
    with override_settings(TESSERA=DATABASE):
        rotate_keys()
        rotate_keys()
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("_keys")
def test_shows_kid_stage_and_times_and_never_the_private_part(admin: Client) -> None:
    secrets = []
    for key in list_keys():
        row = SigningKey.objects.get(kid=key.kid)
        secrets += [row.private, open_private(key, get_settings(), "")["d"]]
        for page in (admin.get(LIST), admin.get(f"{LIST}{row.pk}/change/"), admin.get(f"{LIST}?q={key.kid}")):
            assert page.status_code == 200
            text = page.content.decode()
            assert key.kid in text
            assert key.stage.value in text
            assert not [secret for secret in secrets if secret in text]
    assert {"signing", "published"} == {key.stage.value for key in list_keys()}


@pytest.mark.usefixtures("_keys")
def test_nothing_can_be_added_changed_or_deleted(admin: Client) -> None:
    row = SigningKey.objects.first()
    assert row is not None
    assert admin.get(f"{LIST}add/").status_code == 403
    assert admin.post(f"{LIST}{row.pk}/change/", {"alg": "none"}).status_code == 403
    assert admin.post(f"{LIST}{row.pk}/delete/", {"post": "yes"}).status_code == 403
    answer = admin.post(LIST, {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert answer.status_code in {302, 200, 403}
    assert SigningKey.objects.count() == 2


@pytest.mark.usefixtures("_keys")
def test_a_stolen_key_is_told(admin: Client) -> None:
    revoke_key(list_keys()[0].kid)
    assert "revoked" in admin.get(LIST).content.decode()
    assert admin.get(f"{LIST}999999/change/").status_code == 302  # the admin's own answer: it is not there


def test_a_list_of_many_keys_needs_one_query_more(admin: Client) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(LIST).status_code == 200
        return len(queries)

    with override_settings(TESSERA={**DATABASE, "TENANT": lambda request: "a"}):
        with use_tenant("a"):
            rotate_keys()
        few = count()
        for tenant in ("b", "c", "d"):
            with use_tenant(tenant):
                rotate_keys()
        assert count() == few


@pytest.mark.parametrize(
    ("allowed", "keys", "status"), [(True, True, 200), (False, True, 403), (True, False, 403)]
)
def test_the_page_needs_the_permission_and_keys_in_the_database(
    client: Client, settings: Any, allowed: bool, keys: bool, status: int
) -> None:
    """A project whose keys are elsewhere has no empty list in its admin."""
    settings.TESSERA = DATABASE if keys else {}
    user = make_user("eva", is_staff=True)
    if allowed:
        user.user_permissions.add(Permission.objects.get(codename="view_signingkey"))
    client.force_login(user, "drf_tessera.backends.EmailBackend")
    assert client.get(LIST).status_code == status
    assert (LIST in client.get("/admin/").content.decode()) == (status == 200)
