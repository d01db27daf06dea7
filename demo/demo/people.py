"""The people of the demo. The terminal and the page show their passwords, so these are not secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.db import transaction
from notes.models import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One account with its first notes."""

    username: str
    password: str
    staff: bool = False
    notes: tuple[str, ...] = ()

    @property
    def email(self) -> str:
        """The e-mail address, which can replace the user name at a login."""
        return f"{self.username}@example.com"


PEOPLE: Final = (
    Person(username="anna", password="demo-anna", notes=("Water the lemon tree.", "Call the dentist.")),
    Person(username="bob", password="demo-bob", notes=("Mend the bicycle.",)),
)
ADMIN: Final = Person(username="admin", password="demo-admin", staff=True)


def create_missing_people() -> None:
    """Create the missing people. An existing person keeps the password and the notes."""
    for person in (*PEOPLE, ADMIN):
        user = User.objects.filter(username=person.username).first() or _create(person)
        # allauth refuses a login with an address that was never confirmed.
        confirmed = {"verified": True, "primary": True}
        EmailAddress.objects.get_or_create(user=user, email=user.email, defaults=confirmed)


@transaction.atomic
def _create(person: Person) -> User:
    make = User.objects.create_superuser if person.staff else User.objects.create_user
    user = make(person.username, person.email, person.password)
    Note.objects.bulk_create(Note(owner=user, text=text) for text in person.notes)
    return user
