"""Messages in English that know their translation. Django is not imported here."""

from __future__ import annotations

from gettext import NullTranslations
from typing import Any, ClassVar, Self


class Text(str):
    """A message in English with its values, such as ``Text("%(key)s is missing.", key="alg")``.

    The text is the English string, for logs and programs. :attr:`shown` is for a person. So a text can be
    made before Django has read its catalogues, and can be shown in several languages.
    """

    translations: ClassVar[Any] = NullTranslations()
    """An object with ``gettext``. The Django app puts that of Django here."""

    message: str
    values: dict[str, object]

    def __new__(cls, message: str, /, **values: object) -> Self:
        """Return the message with its values in it."""
        text = super().__new__(cls, message % values if values else message)
        text.message, text.values = message, values
        return text

    @property
    def shown(self) -> str:
        """The text in the language that is active now. Values that are texts are shown, too."""
        text = str(self.translations.gettext(self.message))
        return text % {name: show(value) for name, value in self.values.items()} if self.values else text


def show(value: object) -> Any:
    """Return a text in the language that is active now, and any other value as it is."""
    return value.shown if isinstance(value, Text) else value
