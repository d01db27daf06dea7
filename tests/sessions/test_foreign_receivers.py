"""Receivers that listen to all models see a session as everybody else sees it.

Audit logs and caches read each instance that is saved. The statement of a login selects the user itself, but
no receiver may find that sub-select in the place of the user.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from django.contrib.auth.models import AbstractBaseUser
from django.core import serializers
from django.db import transaction
from django.db.models import Model
from django.db.models.signals import post_save, pre_save
from django.forms.models import model_to_dict

from drf_tessera import sessions
from drf_tessera.models import Session, SessionQuerySet
from tests.conftest import make_user

READS: dict[str, Callable[[Any, Any], bool]] = {
    "the key of the user": lambda session, user: session.user_id == user.pk,
    "the user": lambda session, user: session.user == user,
    "a prepared column": lambda session, user: (
        Session._meta.get_field("user").get_prep_value(session.user_id) == user.pk
    ),
    "every column": lambda session, user: all(
        field.value_from_object(session) is not NotImplemented for field in session._meta.concrete_fields
    ),
    "a dict": lambda session, user: model_to_dict(session)["user"] == user.pk,
    "JSON": lambda session, user: f'"user": {user.pk}' in serializers.serialize("json", [session]),
    "a copy": lambda session, user: copy.deepcopy(session).user_id == user.pk,
    "pickle": lambda session, user: pickle.loads(pickle.dumps(session)).user_id == user.pk,  # noqa: S301
    "a text": lambda session, user: str(session.pk) in repr(session),
}


@pytest.fixture
def heard() -> Iterator[list[tuple[str, Any]]]:
    found: list[tuple[str, Any]] = []

    def before(sender: type[Model], instance: Any, **more: Any) -> None:
        if sender is Session:
            found.append(("before", instance))
            assert instance._state.adding
            assert more["raw"] is False
            assert more["using"] == "default"

    def after(sender: type[Model], instance: Any, **more: Any) -> None:
        if sender is Session:
            found.append(("after", instance))
            assert more["created"] is True
            assert (instance._state.adding, instance._state.db) == (False, "default")

    pre_save.connect(before)
    post_save.connect(after)
    yield found
    pre_save.disconnect(before)
    post_save.disconnect(after)


@pytest.mark.slow
@pytest.mark.parametrize("around", [nullcontext, transaction.atomic], ids=["alone", "in a transaction"])
@pytest.mark.parametrize("read", READS.values(), ids=READS.keys())
@pytest.mark.django_db(transaction=True)
def test_a_receiver_reads_the_session_as_it_is(
    heard: list[tuple[str, Any]],
    around: Callable[[], Any],
    read: Callable[[Any, Any], bool],
) -> None:
    anna = make_user("anna")
    with around():
        sessions.start(anna)
    assert [moment for moment, _ in heard] == ["before", "after"]
    for _, session in heard:
        assert read(session, anna)


@pytest.mark.django_db
def test_a_cache_of_queries_is_passed_by(anna: AbstractBaseUser, monkeypatch: pytest.MonkeyPatch) -> None:
    """cacheops offers ``nocache()``. It does not see an ``UPDATE``, and would return a session as it was."""
    asked: list[SessionQuerySet] = []

    def nocache(rows: SessionQuerySet) -> SessionQuerySet:
        asked.append(rows)
        return rows.none()

    begun = sessions.start(anna)
    monkeypatch.setattr(SessionQuerySet, "nocache", nocache, raising=False)
    assert not sessions.revoke(begun.session_id)
    assert len(asked) == 1
