"""User models whose rows can be loaded later, and the reasons why other models need their row at once.

A model may keep something about its instances: the values that it was loaded with, a tracker of changes, a
class that depends on the row. Such code runs when Django makes an instance of a row. It cannot be run for an
instance that has no row yet, so the row of such a user is loaded on every request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import getattr_static
from typing import Any, Final

from django.conf import settings
from django.db.models import Model
from django.db.models.base import ModelBase
from django.db.models.signals import post_init, pre_init

from drf_tessera.models import has_plain_manager
from drf_tessera.texts import Text

_HOOKS: Final = (
    "__init__",
    "__new__",
    "__init_subclass__",
    "__del__",
    "from_db",
    "get_deferred_fields",
    "__getattribute__",
    "__getattr__",
    "__setattr__",
    "__delattr__",
    "__eq__",
    "__ne__",
    "__hash__",
    "__copy__",
    "__deepcopy__",
    "__reduce__",
    "__reduce_ex__",
    "__getstate__",
    "__setstate__",
)
"""Methods of ``Model`` that make, watch, compare or copy instances. Those of the project may need the row."""


def find_obstacles(model: Any, *, tokens_name_tenant: bool = False) -> tuple[Text, ...]:
    """Return the reasons why an instance of ``model`` without its row would differ from one with its row.

    The result is empty for a model that leaves the making of instances to Django. A receiver counts if it is
    connected before the first request, for example in ``AppConfig.ready``.

    Args:
        model: the user model.
        tokens_name_tenant: whether a token is refused at another tenant (``TENANT``).
    """
    found = list(_list_obstacles(model))
    if not tokens_name_tenant and _belongs_to_tenants():
        found.append(Text("each tenant has its own users and sessions"))
    return tuple(found)


def _list_obstacles(model: Any) -> Iterator[Text]:
    if type(model) is not ModelBase:
        yield Text("the metaclass is %(name)s", name=type(model).__name__)
    for name in _HOOKS:
        if getattr_static(model, name, None) is not getattr_static(Model, name, None):
            yield Text("%(owner)s defines %(name)s()", owner=_find_owner(model, name), name=name)
    for name, signal in (("pre_init", pre_init), ("post_init", post_init)):
        if signal.has_listeners(model):
            yield Text("a receiver of %(name)s is connected", name=name)
    if not has_plain_manager(model):
        yield Text(
            "the default manager is %(name)s, which selects by its own code",
            name=type(model._default_manager).__name__,
        )
    key = model._meta.pk
    if not type(getattr_static(model, key.attname)).__module__.startswith("django."):
        yield Text("the primary key %(name)r has a descriptor of its own", name=key.name)


def _belongs_to_tenants() -> bool:
    """Return whether each tenant has a table of sessions, with django-tenants or a similar package.

    The users of two tenants may have the same key. If the tokens do not name their tenant, only the session,
    which is in one of the tables, tells them apart.
    """
    listed = [*(getattr(settings, "TENANT_APPS", None) or ())]
    for setting in ("TENANT_TYPES", "TENANTS"):
        for kind in (getattr(settings, setting, None) or {}).values():
            listed += kind.get("APPS", ()) if isinstance(kind, Mapping) else ()
    return any(name.partition(".")[0] == "drf_tessera" for name in listed)


def _find_owner(model: Any, name: str) -> str:
    owner = next((kind for kind in model.__mro__ if name in vars(kind)), model)
    return f"{owner.__module__}.{owner.__qualname__}"


def find_own_descriptors(model: Any) -> Iterator[str]:
    """Return the names of attributes whose reads and writes run code that is neither Django's nor a property.

    A phone number and a state machine have such descriptors. Some compare a new value with the old one.
    """
    for name in {name for kind in model.__mro__ for name in vars(kind)}:
        found = type(getattr_static(model, name))
        own = found.__module__.partition(".")[0] not in {"django", "builtins"}
        if own and (hasattr(found, "__set__") or hasattr(found, "__delete__")):
            yield name
