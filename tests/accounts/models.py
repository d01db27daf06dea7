"""User models like those of real projects. One has a UUID key and logs in by e-mail, one has a text key."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.auth.models import AbstractBaseUser, AbstractUser, BaseUserManager
from django.db import models


class EmailManager(BaseUserManager["EmailUser"]):
    def create_user(self, email: str, password: str | None = None, **fields: object) -> EmailUser:
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class EmailUser(AbstractUser):
    """A user model that logs in by the e-mail address. It has no user name, and its key is a UUID."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    username = None  # type: ignore[assignment]
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        swappable = "AUTH_USER_MODEL"  # one user model at a time: see tests/settings.py

    objects = EmailManager()  # type: ignore[misc,assignment]


class HandleManager(BaseUserManager["HandleUser"]):
    def create_user(self, handle: str, password: str | None = None, **fields: object) -> HandleUser:
        user = self.model(handle=handle, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class HandleUser(AbstractBaseUser):
    """The minimum that Django requires: a text key, no ``is_active`` column, no e-mail, no names."""

    handle = models.CharField(max_length=40, primary_key=True)
    USERNAME_FIELD = "handle"

    class Meta:
        swappable = "AUTH_USER_MODEL"

    objects = HandleManager()


class NoTable(models.Model):
    """A model whose table does not exist, as that of revocations before ``manage.py migrate``."""

    id = models.BigAutoField(primary_key=True)
    session_id = models.UUIDField()
    until = models.BigIntegerField()
    scope = models.CharField(max_length=320)

    class Meta:
        managed = False

    def __str__(self) -> str:
        return str(self.session_id)
