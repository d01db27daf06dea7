"""User models as projects have them. A run uses one of them; the others have no table then."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from dirtyfields import DirtyFieldsMixin
from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, AbstractUser, BaseUserManager, UserManager
from django.db import models
from django.utils import timezone
from django_lifecycle import AFTER_UPDATE, LifecycleModelMixin, hook
from django_lifecycle.conditions import WhenFieldHasChanged
from model_utils import FieldTracker
from phonenumber_field.modelfields import PhoneNumberField
from polymorphic.managers import PolymorphicManager
from polymorphic.models import PolymorphicModel
from safedelete.managers import SafeDeleteManager
from safedelete.models import SafeDeleteModel


class Swappable:
    """The ``Meta`` of all: one user model at a time."""

    swappable = "AUTH_USER_MODEL"


class Manager(BaseUserManager):
    def create_user(self, name: Any, password: str | None = None, **fields: Any) -> Named:
        user = self.model(**{self.model.USERNAME_FIELD: name}, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class Bare(AbstractBaseUser):
    """The least of a user model. It has a name, and no column for ``is_active``."""

    NAME: ClassVar[Any] = "anna"
    """The value of the name. A person types its text."""
    OTHER: ClassVar[Any] = "bob"
    TYPED: ClassVar[str] = "anna"
    SPELLINGS: ClassVar[tuple[str, ...]] = ()
    """Other texts that the column reads as the same name."""

    USERNAME_FIELD = "name"

    class Meta:
        abstract = True

    objects = Manager()


class Named(Bare):
    """A user model with a column for ``is_active``."""

    is_active = models.BooleanField(default=True)

    class Meta:
        abstract = True

    def deactivate(self, *, silently: bool = False) -> None:
        change(self, silently, is_active=False)


def change(user: models.Model, silently: bool, **values: Any) -> None:
    """Save some columns, or write them by an update that sends no signal."""
    if silently:
        models.QuerySet(type(user)).filter(pk=user.pk).update(**values)
        return
    for name, value in values.items():
        setattr(user, name, value)
    user.save(update_fields=list(values))


# -- Names and addresses that are not texts --------------------------------------------------------


class PhoneName(Named):
    NAME, OTHER, TYPED = "+41446681800", "+41446681801", "+41446681800"
    SPELLINGS = ("+41 44 668 18 00", "+41 (0)44 668-18-00")
    name = PhoneNumberField(unique=True)
    email = models.EmailField(null=True)

    class Meta(Swappable):
        pass


class IntegerName(Named):
    NAME, OTHER, TYPED = 4711, 4712, "4711"
    SPELLINGS = ("04711", "+4711", "4_711", "\u0664\u0667\u0661\u0661")
    name = models.BigIntegerField(unique=True)
    email = models.EmailField(null=True)

    class Meta(Swappable):
        pass


class DecimalName(Named):
    NAME, OTHER, TYPED = "4711.50", "4712.50", "4711.50"
    SPELLINGS = ("4711.5", "47115e-1")
    name = models.DecimalField(unique=True, max_digits=8, decimal_places=2)

    class Meta(Swappable):
        pass


class UUIDName(Named):
    NAME = uuid.UUID("69cc6104-2741-4728-9345-29b5aa587d65")
    OTHER = uuid.UUID("69cc6104-2741-4728-9345-29b5aa587d66")
    TYPED = str(NAME)
    SPELLINGS = (NAME.hex, TYPED.upper(), f"{{{TYPED}}}")
    name = models.UUIDField(unique=True)
    email = models.EmailField(null=True)

    class Meta(Swappable):
        pass


# -- Keys that are not what they seem --------------------------------------------------------------


class HexKey(Named):
    """A new instance has a key in another form than its row."""

    id = models.UUIDField(primary_key=True, default=lambda: str(uuid.uuid4()).upper())
    name = models.CharField(max_length=40, unique=True)

    class Meta(Swappable):
        pass


class Prefixed:
    """A number that shows itself with a prefix, as keys of some interfaces do."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __str__(self) -> str:
        return f"usr_{self.number}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Prefixed) and other.number == self.number

    def __lt__(self, other: Prefixed) -> bool:
        return self.number < other.number  # Django sorts keys before it deletes their rows

    def __hash__(self) -> int:
        return hash(self.number)


class PrefixedField(models.BigIntegerField):
    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        return self.to_python(value)

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, Prefixed):
            return value
        return Prefixed(int(str(value).removeprefix("usr_")))

    def get_prep_value(self, value: Any) -> Any:
        return None if value is None else self.to_python(value).number


class ObjectKey(Named):
    """The key is an object of the project's own, and a new instance has a number."""

    id = PrefixedField(primary_key=True, default=lambda: uuid.uuid4().int >> 70)
    name = models.CharField(max_length=40, unique=True)

    class Meta(Swappable):
        pass


# -- Models that lack what most have ---------------------------------------------------------------


class NullPassword(Named):
    """People of another login have no password."""

    name = models.CharField(max_length=40, unique=True)
    password = models.CharField(max_length=128, null=True)

    class Meta(Swappable):
        pass


class NoPassword(Named):
    """Nobody has a password: people log in elsewhere, and the project calls ``sessions.start``."""

    name = models.CharField(max_length=40, unique=True)
    password = None

    class Meta(Swappable):
        pass


class PlainManager(models.Manager):
    def get_by_natural_key(self, name: str) -> models.Model:
        return self.get(name=name)


class Plain(models.Model):
    """A user model that is not derived from Django's own."""

    name = models.CharField(max_length=40, unique=True)
    password = models.CharField(max_length=128)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "name"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    is_authenticated = True
    is_anonymous = False
    objects = PlainManager()

    class Meta(Swappable):
        pass

    def __str__(self) -> str:
        return self.name

    def set_password(self, password: str | None) -> None:
        self.password = make_password(password)

    def check_password(self, password: str) -> bool:
        return check_password(password, self.password)

    def deactivate(self, *, silently: bool = False) -> None:
        change(self, silently, is_active=False)


class Card(models.Model):
    """Something that a person has, and that stands for the person."""

    number = models.CharField(max_length=9)

    def __str__(self) -> str:
        return f"Card {self.number}"


class RelatedName(Named):
    """The name is a related row, as in Django's tests of ``createsuperuser``."""

    TYPED = "7"
    SPELLINGS = ("07",)
    card = models.OneToOneField(Card, models.CASCADE, db_column="card", related_name="+")
    USERNAME_FIELD = "card"

    class Meta(Swappable):
        pass

    @classmethod
    def make_name(cls, other: bool = False) -> Card:
        return Card.objects.get_or_create(pk=8 if other else 7, number="x")[0]


class NoName(Named):
    """Some users have no name, and nobody has an address."""

    name = models.CharField(max_length=40, unique=True, null=True)
    EMAIL_FIELD = None

    class Meta(Swappable):
        pass


class SharedName(Named):
    """The name is not unique, which Django allows if the backend is not its own."""

    name = models.CharField(max_length=40)
    email = models.EmailField(blank=True)

    class Meta(Swappable):
        pass


class NullAddress(AbstractUser):
    """Most users have no address, and the database ignores the case of names."""

    SPELLINGS = () if settings.DATABASE == "postgres" else ("Anna",)
    username = models.CharField(
        max_length=40,
        unique=True,
        db_collation={"sqlite": "NOCASE", "mariadb": "utf8mb4_general_ci"}.get(settings.DATABASE),
    )
    email = models.EmailField(null=True, unique=True)
    REQUIRED_FIELDS = ()

    class Meta(Swappable):
        pass


class EmptyAddressField(AbstractUser):
    email = None
    EMAIL_FIELD = ""
    REQUIRED_FIELDS = ()

    class Meta(Swappable):
        pass


class RelatedAddress(AbstractUser):
    email = None
    contact = models.ForeignKey(Card, models.SET_NULL, null=True)
    EMAIL_FIELD = "contact"
    REQUIRED_FIELDS = ()

    class Meta(Swappable):
        pass


class ComputedAddress(AbstractUser):
    """The address is a column of another name."""

    _email = models.EmailField(db_column="address", blank=True)
    email = None
    EMAIL_FIELD = "_email"
    REQUIRED_FIELDS = ()

    class Meta(Swappable):
        pass

    objects = UserManager()


ComputedAddress.email = property(lambda self: self._email)


# -- Active users ----------------------------------------------------------------------------------


class DeletedSoftly(Bare):
    """The parent of models that note when a user was deleted."""

    name = models.CharField(max_length=40, unique=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def deactivate(self, *, silently: bool = False) -> None:
        change(self, silently, deleted_at=timezone.now())


class PropertyActive(DeletedSoftly):
    class Meta(Swappable):
        pass

    @property
    def is_active(self) -> bool:  # type: ignore[override]
        return self.deleted_at is None


class MethodActive(DeletedSoftly):
    """Django's own backend takes the method for a true value, and lets everybody log in."""

    class Meta(Swappable):
        pass

    def is_active(self) -> bool:  # type: ignore[override]
        return self.deleted_at is None


class TextActive(Bare):
    """``is_active`` is a column, but of a kind whose values the database cannot test for truth."""

    name = models.CharField(max_length=40, unique=True)
    is_active = models.CharField(max_length=9, default="yes")

    class Meta(Swappable):
        pass

    def deactivate(self, *, silently: bool = False) -> None:
        change(self, silently, is_active="")


class VisibleManager(Manager):
    def get_queryset(self) -> Any:
        return super().get_queryset().filter(deleted_at=None)


class HiddenWhenDeleted(DeletedSoftly):
    """The default manager hides deleted users, and ``is_active`` is always true."""

    class Meta(Swappable):
        pass

    objects = VisibleManager()
    everybody = models.Manager()


class LoadedOnly(models.QuerySet):
    """Hides deleted users by Python code, which no statement can see."""

    def _fetch_all(self) -> None:
        super()._fetch_all()
        self._result_cache = [user for user in self._result_cache if user.deleted_at is None]


class HiddenByCode(DeletedSoftly):
    class Meta(Swappable):
        pass

    objects = Manager.from_queryset(LoadedOnly)()


class SafeManager(SafeDeleteManager, Manager):
    pass


class SafeDeleted(SafeDeleteModel, Named):
    """A model of django-safedelete."""

    name = models.CharField(max_length=40, unique=True)

    class Meta(Swappable):
        pass

    def deactivate(self, *, silently: bool = False) -> None:
        if silently:
            type(self).all_objects.filter(pk=self.pk).update(deleted=timezone.now())
        else:
            self.delete()

    objects = SafeManager()


class GroupingManager(Manager):
    """Joins, groups and sorts, as managers for a list of people do."""

    def get_queryset(self) -> Any:
        users = super().get_queryset().select_related("boss").annotate(reports=models.Count("report"))
        return users.distinct().order_by("-reports")


class Grouped(Named):
    name = models.CharField(max_length=40, unique=True)
    boss = models.ForeignKey("self", models.SET_NULL, null=True, related_name="report")

    class Meta(Swappable):
        pass

    objects = GroupingManager()


# -- Several tables for one user -------------------------------------------------------------------


class Person(Named):
    name = models.CharField(max_length=40, unique=True)


class PersonProxy(Person):
    class Meta:
        proxy = True


class Customer(Person):
    """Another child of the parent. One person may be both."""

    number = models.CharField(max_length=9)


class Employee(Person):
    """The user model is the child of a model with a table."""

    badge = models.CharField(max_length=9)

    class Meta(Swappable):
        pass


if settings.AUTH_USER_MODEL == "people.Employee":

    class EmployeeProxy(Employee):
        class Meta:
            proxy = True

    class Director(Employee):
        """A child of the user model."""

        level = models.IntegerField(default=1)


class OwnKey(Person):
    """A child with a key of its own."""

    id_card = models.UUIDField(primary_key=True, default=uuid.uuid4)
    person = models.OneToOneField(Person, models.CASCADE, parent_link=True)

    class Meta(Swappable):
        pass


class PersonAsUser(Person):
    """The user model is a proxy."""

    class Meta(Swappable):
        proxy = True


# -- Models that keep something about their instances ----------------------------------------------


class Kept(Named):
    """The parent of models that notice when a change of the address is saved."""

    name = models.CharField(max_length=40, unique=True)
    email = models.EmailField(blank=True)
    CHANGES: ClassVar[list[tuple[str, str]]] = []

    class Meta:
        abstract = True

    def note(self, old: str) -> None:
        if old != self.email:
            self.CHANGES.append((old, self.email))


class ByInit(Kept):
    """The constructor remembers a value by reading it."""

    class Meta(Swappable):
        pass

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.old_email = self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.note(self.old_email)
        super().save(*args, **kwargs)


class ByInitDict(Kept):
    """The constructor remembers values without asking for those that are deferred."""

    class Meta(Swappable):
        pass

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.old = {field.attname: vars(self).get(field.attname) for field in self._meta.concrete_fields}

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.note(self.old["email"])
        super().save(*args, **kwargs)


class ByFromDb(Kept):
    """The recipe of Django's documentation for loaded values."""

    class Meta(Swappable):
        pass

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Any:
        found = super().from_db(db, field_names, values)
        found.loaded = dict(zip(field_names, values, strict=False))
        return found

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.note(self.loaded["email"])
        super().save(*args, **kwargs)


class ByReceiver(Kept):
    class Meta(Swappable):
        pass


def remember(instance: Any, **kwargs: Any) -> None:
    instance.old_email = vars(instance).get("email")


def tell(instance: Any, created: bool, **kwargs: Any) -> None:
    if not created:
        instance.note(instance.old_email)


models.signals.post_init.connect(remember, sender=ByReceiver)
models.signals.post_save.connect(tell, sender=ByReceiver)


class BySetattr(Kept):
    """Notices assignments."""

    class Meta(Swappable):
        pass

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "email" and "email" in vars(self) and self.email != value:
            self.CHANGES.append((self.email, value))
        super().__setattr__(name, value)


class BySave(Kept):
    """Asks the database when it is saved."""

    class Meta(Swappable):
        pass

    def save(self, notify: bool = True, *args: Any, **kwargs: Any) -> None:
        old = type(self)._base_manager.filter(pk=self.pk).first()
        if old is not None:
            self.note(old.email)
        super().save(*args, **kwargs)


class ByMethod(Kept):
    """Compares the instance's own dict with the row."""

    class Meta(Swappable):
        pass

    def save(self, *args: Any, **kwargs: Any) -> None:
        known = dict(self.__dict__)
        old = type(self)._base_manager.filter(pk=self.pk).first()
        if old is not None and known["email"] != old.email:
            self.CHANGES.append((old.email, known["email"]))
        super().save(*args, **kwargs)

    def show(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}


class ByDirtyFields(DirtyFieldsMixin, Kept):
    class Meta(Swappable):
        pass

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            self.note(self.get_dirty_fields().get("email", self.email))
        super().save(*args, **kwargs)


class ByFieldTracker(Kept):
    tracker = FieldTracker()

    class Meta(Swappable):
        pass

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding and self.tracker.has_changed("email"):
            self.note(self.tracker.previous("email"))
        super().save(*args, **kwargs)


class ByLifecycle(LifecycleModelMixin, Kept):
    class Meta(Swappable):
        pass

    @hook(AFTER_UPDATE, condition=WhenFieldHasChanged("email", has_changed=True))
    def hear(self) -> None:
        self.note(self.initial_value("email"))


class OneWay:
    """A descriptor that refuses to change a value, as those of state machines do."""

    def __init__(self, field: models.Field) -> None:
        self.field = field

    def __get__(self, user: Any, kind: Any = None) -> Any:
        return self if user is None else vars(user)[self.field.name]

    def __set__(self, user: Any, value: Any) -> None:
        if vars(user).get(self.field.name, "") not in ("", value):
            raise AttributeError("This value is written once.")
        vars(user)[self.field.name] = value


class OneWayField(models.CharField):
    def contribute_to_class(self, cls: type[models.Model], name: str, **kwargs: Any) -> None:
        super().contribute_to_class(cls, name, **kwargs)
        setattr(cls, name, OneWay(self))


class ByDescriptor(Kept):
    """A field has a descriptor that looks at the old value, and cannot load a deferred one."""

    stage = OneWayField(max_length=9, default="new")

    class Meta(Swappable):
        pass

    def save(self, *args: Any, **kwargs: Any) -> None:
        old = type(self)._base_manager.filter(pk=self.pk).first()
        if old is not None:
            self.note(old.email)
        super().save(*args, **kwargs)


class ByClass(Kept):
    """The row says of which class the instance is."""

    class Meta(Swappable):
        pass

    @classmethod
    def from_db(cls, db: Any, field_names: Any, values: Any) -> Any:
        found = super().from_db(db, field_names, values)
        found.__class__ = Special
        return found


if settings.AUTH_USER_MODEL == "people.ByClass":

    class Special(ByClass):
        class Meta:
            proxy = True

        def is_special(self) -> bool:
            return True


class Polymorphic(PolymorphicModel, Kept):
    """A model of django-polymorphic, whose rows are instances of its children."""

    class Meta(Swappable):
        pass

    objects = type("PolymorphicUsers", (PolymorphicManager, Manager), {})()


if settings.AUTH_USER_MODEL == "people.Polymorphic":

    class SpecialPolymorphic(Polymorphic):
        extra = models.CharField(max_length=9, default="x")

        def is_special(self) -> bool:
            return True
