"""``api_settings.user_settings`` is the project's own dict: a change counts at once."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, ClassVar

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from django.test.signals import setting_changed

from drf_tessera.legacy import LegacySettings


class Own(LegacySettings):
    name = "OWN_JWT"
    defaults: ClassVar = {"KIND": "a", "MORE": 1}
    paths = frozenset[str]()


@pytest.fixture
def own(settings: Any) -> Own:
    settings.OWN_JWT = {"KIND": "b"}
    return Own()


def test_a_value_is_set_and_removed(own: Own) -> None:
    own.user_settings["MORE"] = 2
    assert (own.MORE, django_settings.OWN_JWT) == (2, {"KIND": "b", "MORE": 2})
    del own.user_settings["MORE"]
    assert (own.MORE, django_settings.OWN_JWT) == (1, {"KIND": "b"})
    with pytest.raises(KeyError):
        del own.user_settings["MORE"]


def test_each_way_to_change_a_dict_is_a_change(own: Own) -> None:
    own.user_settings.update(MORE=3)
    assert own.user_settings.setdefault("MORE", 4) == 3
    assert own.user_settings.pop("KIND") == "b"
    assert (own.KIND, own.MORE) == ("a", 3)
    own.user_settings.clear()
    assert dict(own.user_settings) == {} == django_settings.OWN_JWT


def test_an_object_that_is_kept_shows_its_own_changes(own: Own) -> None:
    kept = own.user_settings
    kept["MORE"] = 2
    assert (dict(kept), len(kept), repr(kept)) == ({"KIND": "b", "MORE": 2}, 2, "{'KIND': 'b', 'MORE': 2}")


def test_a_change_is_announced_as_by_override_settings(own: Own) -> None:
    seen: list[Any] = []

    def receive(setting: str, value: Any, **kwargs: Any) -> None:
        seen.append((setting, dict(value)))

    setting_changed.connect(receive)
    try:
        own.user_settings["MORE"] = 2
    finally:
        setting_changed.disconnect(receive)
    assert seen == [("OWN_JWT", {"KIND": "b", "MORE": 2})]


@pytest.mark.parametrize("value", [MappingProxyType({"KIND": "b"}), None, "nonsense"])
def test_a_value_that_is_not_a_dict_is_replaced(value: Any) -> None:
    with override_settings(OWN_JWT=value):
        own = Own()
        before = dict(own.user_settings)
        own.user_settings["MORE"] = 2
        assert {**before, "MORE": 2} == django_settings.OWN_JWT
        assert own.MORE == 2


def test_an_attribute_that_a_test_sets_counts(own: Own) -> None:
    own.KIND = "c"
    own.other = 1
    assert dict(own.user_settings) == {"KIND": "c"}
    assert own.look_up("KIND") == "c"
    del own.KIND
    assert own.KIND == "b"


def test_a_value_of_its_own_takes_the_place_of_the_setting(own: Own) -> None:
    own.given = {"KIND": "d"}
    own.user_settings["MORE"] = 2
    assert (own.KIND, own.given) == ("d", {"KIND": "d", "MORE": 2})
    assert django_settings.OWN_JWT == {"KIND": "b"}
