"""A test that commits costs the real ``flush`` only if it has changed a row that the migrations wrote."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test import TransactionTestCase

from tests import clearing


class Case(TransactionTestCase):
    """Stands for a test that has ended."""

    __test__ = False

    def runTest(self) -> None:  # noqa: N802 - the name of unittest
        raise AssertionError


@pytest.mark.django_db(transaction=True)
def test_a_flush_makes_no_later_flush_necessary() -> None:
    """It writes the rows of the migrations with other primary keys."""
    ContentType.objects.all()[0].delete()
    assert not clearing._clear(connection)
    clearing._clear_all(Case())
    Group.objects.create(name="editors")
    assert clearing._clear(connection)
    assert clearing._find_filled(connection) == clearing._fresh["default"].keys()
