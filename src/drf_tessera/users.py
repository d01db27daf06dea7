"""From a verified token to the user that it names."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import Exists, OuterRef
from django.utils import timezone

from drf_tessera.exceptions import SessionEnded, UserGone, UserInactive
from drf_tessera.models import Session
from drf_tessera.tokens import AccessToken


def parse_sub(sub: str) -> Any:
    """Turn a ``sub`` into the primary key that it is the one text of.

    Django reads "042", "4_2" and Arabic digits as 42; two texts for one user are how a check on one
    of them is passed with the other, so only ``str(pk)`` itself is taken.

    Raises:
        UserGone: no primary key of the user model is written like this.
    """
    field = get_user_model()._meta.pk
    try:
        pk = field.to_python(sub)
    except (ValidationError, ValueError, OverflowError, TypeError):
        raise UserGone from None
    if str(pk) != sub:
        raise UserGone
    return pk


def load_user(token: AccessToken) -> AbstractBaseUser:
    """Load the token's user and ask after its session: one query for both.

    The write database is asked, so that a login is known at once where replicas lag.

    Raises:
        UserGone: no such user.
        UserInactive: the user may not log in any more.
        SessionEnded: the session was ended or has expired.
    """
    model = get_user_model()
    live = Session.objects.live(timezone.now()).filter(pk=token.session_id, user_id=OuterRef("pk"))
    users = model._default_manager.using(router.db_for_write(Session))
    try:
        user = users.annotate(tessera_session_live=Exists(live)).get(pk=parse_sub(token.sub))
    except (model.DoesNotExist, ValueError, OverflowError):
        raise UserGone from None
    # A text key may match in another case or with trailing spaces under the database's collation.
    if str(user.pk) != token.sub:
        raise UserGone
    if not user.is_active:
        raise UserInactive
    if not user.tessera_session_live:
        raise SessionEnded
    return user
