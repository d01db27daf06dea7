"""The root of all errors, and the mistakes of a project, which a person must correct."""

from __future__ import annotations

from collections.abc import Mapping
from gettext import NullTranslations
from typing import Any, ClassVar

from drf_tessera.texts import Text


def gettext_noop(message: str) -> str:
    """Return ``message``. The name marks a message for the catalogues; Django is not imported here."""
    return message


_ = gettext_noop


class TesseraError(Exception):
    """The root: ``except TesseraError`` catches every error that this package raises on purpose.

    An error holds its message in English, and the values for it. So an error that is raised, remembered or
    pickled in one request has the language of the request that shows it. ``str(error)`` is English, for logs.
    """

    code: ClassVar[str] = "tessera_error"
    default_detail: ClassVar[str] = _("The operation was refused.")
    translations: ClassVar[Any] = NullTranslations()
    """``gettext`` and ``ngettext``. The Django app puts those of Django here."""

    def __init__(self, detail: str | None = None, values: Mapping[str, Any] | None = None) -> None:
        self.message: str = detail if detail is not None else self.default_detail
        self.values: dict[str, Any] = dict(values or {})
        super().__init__(self.message % self.values if self.values else self.message)

    @property
    def detail(self) -> str:
        """The text for a person, in the language that is active now."""
        if isinstance(self.message, Text):
            return self.message.shown
        message = str(self.message)  # a project may have passed a lazy text
        text = str(self.translations.gettext(message)) if message else ""  # "" is the head of a catalogue
        return text % self.values if self.values else text

    def __reduce__(self) -> tuple[Any, ...]:
        # Python would call the class with the text alone, but some classes have other arguments.
        return _restore, (type(self), self.args, vars(self))


def _restore(kind: type[TesseraError], args: tuple[Any, ...], state: dict[str, Any]) -> TesseraError:
    """Return the error of a pickle."""
    error = kind.__new__(kind, *args)
    vars(error).update(state)
    return error


# -- Mistakes of the project: a person must change code or settings --------------------------------


class ProjectError(TesseraError):
    """The project's code or settings are wrong. A client can neither cause nor repair this error."""

    code = "project_error"


class SettingsError(ProjectError):
    """A setting is not valid. ``manage.py check`` reports each such setting with a hint."""

    code = "settings_invalid"
    default_detail: ClassVar[str] = _("The TESSERA settings are not valid; run manage.py check.")


class KeyMaterialError(ProjectError):
    """A key cannot be used: it is unreadable, too short, or of the wrong kind for its algorithm."""

    code = "key_invalid"
    default_detail: ClassVar[str] = _("A key cannot be used.")


class ClaimsHookError(ProjectError):
    """The project's ``CLAIMS`` hook returned something that cannot go into a token."""

    code = "claims_hook_invalid"
    default_detail: ClassVar[str] = _("The CLAIMS hook returned something that cannot go into a token.")


class MigrationMissing(ProjectError):
    """A table or a column does not exist, because ``manage.py migrate`` was not run. The cause names it."""

    code = "migration_missing"
    default_detail: ClassVar[str] = _(
        "A table or a column does not exist in the database. Run manage.py migrate."
    )
