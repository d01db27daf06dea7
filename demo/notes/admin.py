"""The page of a user in the admin, with the sessions of the user."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User

from drf_tessera.admin import SessionInline

admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(UserAdmin):
    """The people of the demo."""

    inlines = (SessionInline,)
