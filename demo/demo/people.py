"""The people of the demo. Their passwords are no secret: the terminal and the page show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from notes.models import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One account, and the notes that it starts with."""

    username: str
    password: str
    staff: bool = False
    notes: tuple[str, ...] = ()

    @property
    def email(self) -> str:
        """The address that logs in as well as the user name does."""
        return f"{self.username}@example.com"


PEOPLE: Final = (
    Person(username="anna", password="demo-anna", notes=("Water the lemon tree.", "Call the dentist.")),
    Person(username="bob", password="demo-bob", notes=("Mend the bicycle.",)),
)
ADMIN: Final = Person(username="admin", password="demo-admin", staff=True)


def create_missing_people() -> None:
    """Create who is not there yet. Who is there keeps their password and notes."""
    for person in (*PEOPLE, ADMIN):
        if not User.objects.filter(username=person.username).exists():
            _create(person)


@transaction.atomic
def _create(person: Person) -> User:
    make = User.objects.create_superuser if person.staff else User.objects.create_user
    user = make(person.username, person.email, person.password)
    Note.objects.bulk_create(Note(owner=user, text=text) for text in person.notes)
    return user
