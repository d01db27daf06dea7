"""The root of all errors, and the mistakes of a project, which a person must correct."""

from __future__ import annotations

from typing import Any, ClassVar


class TesseraError(Exception):
    """The root: ``except TesseraError`` catches every error that this package raises on purpose."""

    code: ClassVar[str] = "tessera_error"
    default_detail: ClassVar[str] = "The operation was refused."

    def __init__(self, detail: str | None = None) -> None:
        self.detail: str = detail if detail is not None else self.default_detail
        super().__init__(self.detail)

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
    default_detail = "The TESSERA settings are not valid; run manage.py check."


class KeyMaterialError(ProjectError):
    """A key cannot be used: it is unreadable, too short, or of the wrong kind for its algorithm."""

    code = "key_invalid"
    default_detail = "A key cannot be used."


class ClaimsHookError(ProjectError):
    """The project's ``CLAIMS`` hook returned something that cannot go into a token."""

    code = "claims_hook_invalid"
    default_detail = "The CLAIMS hook returned something that cannot go into a token."


class MigrationMissing(ProjectError):
    """A table or a column does not exist, because ``manage.py migrate`` was not run. The cause names it."""

    code = "migration_missing"
    default_detail = "A table or a column does not exist in the database. Run manage.py migrate."
