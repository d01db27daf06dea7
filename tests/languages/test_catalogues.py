"""Each message for a person goes through gettext, and each catalogue has all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from tests.languages.sweep import find_bare, find_bare_in_template, find_unmarked
from tools import messages
from tools.house import ROOT
from tools.messages import DOMAINS, LANGUAGES, PACKAGE, Domain, Message, find_messages, name_file
from tools.pages import REPOSITORY

pytestmark = pytest.mark.once  # it reads files

ASKED = {"ar", "de", "es", "fr", "hi", "it", "ja", "pt_BR", "ru", "zh_Hans"}
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|{\w*}")
MARKUP = re.compile(r'<[^>]*>|["<>]')
"""The tags of a message. A quote would end the attribute of HTML that the message stands in."""

FOR_DEVELOPERS = ("conf", "contrib/spectacular.py", "contrib/pytest.py", "testing.py")
"""Places whose other texts are shown to developers alone. docs/howto/languages.md says so."""

OF_TERMINALS = sorted(
    path
    for place in (
        *("checks/*.py", "management/**/*.py", "legacy/names.py", "legacy/owners.py", "legacy/settings.py"),
        *("conf/issuers.py", "conf/keys.py", "conf/problems.py", "conf/values.py"),
        *("jose/algorithms.py", "rest/explanation.py", "rest/steps.py"),
    )
    for path in ROOT.glob(place)
)
"""The texts of system checks and of commands. The modules of other checks are in ``OTHERS``."""

INNER = ("jose/encoding.py",)
"""Each of its errors becomes another error before anybody sees it."""

SOURCES = sorted(
    path
    for path in ROOT.rglob("*.py")
    if "migrations" not in path.parts and not str(path.relative_to(ROOT)).startswith(FOR_DEVELOPERS + INNER)
)


def name_domain(domain: Domain) -> str:
    """Return the name of a set of catalogues, for the id of a test."""
    return f"{domain.locale.parent.name}-{domain.name}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("domain", DOMAINS, ids=name_domain)
def test_the_catalogues_have_each_message_and_no_other(domain: Domain, language: str) -> None:
    with name_file(language, "po", domain).open("rb") as file:
        catalog = read_po(file, locale=language)
    given = [message for message in catalog if message.id]
    found = find_messages(domain)
    assert found
    assert {
        (message.id[0] if message.pluralizable else message.id, message.context) for message in given
    } == {(m.text, m.context) for m in found}
    assert not catalog.obsolete
    for message in given:
        forms = message.string if message.pluralizable else (message.string,)
        assert not message.fuzzy, message.id
        assert all(forms), message.id
        assert len(forms) == (catalog.num_plurals if message.pluralizable else 1), message.id
        wanted = PLACEHOLDER.findall(message.id[1] if message.pluralizable else message.id)
        for form in forms:
            assert sorted(PLACEHOLDER.findall(form)) == sorted(wanted), message.id
            if domain is not PACKAGE:
                text = message.id[1] if message.pluralizable else message.id
                assert sorted(MARKUP.findall(form)) == sorted(MARKUP.findall(text)), message.id


@pytest.mark.slow
def test_the_files_that_django_reads_are_those_of_the_translators(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert messages.main(["--check"]) == 0, capsys.readouterr().err


def test_an_old_file_is_found_and_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    domains = [Domain(name, tmp_path, ()) for name in ("django", "djangojs")]
    monkeypatch.setattr(messages, "DOMAINS", domains)
    monkeypatch.setattr(messages, "REPOSITORY", tmp_path)
    monkeypatch.setattr(messages, "LANGUAGES", ("de",))
    monkeypatch.setattr(messages, "find_messages", lambda _domain: {Message("One."): ["a.py"]})
    assert messages.main(["--check"]) == 1
    told = capsys.readouterr().err
    assert "de/LC_MESSAGES/django.po is not current" in told
    assert "de/LC_MESSAGES/djangojs.po is not current" in told
    assert messages.main([]) == 0
    assert messages.main(["--check"]) == 0


def test_there_is_a_catalogue_for_each_language() -> None:
    for domain in DOMAINS:
        assert set(LANGUAGES) == {path.name for path in domain.locale.iterdir()} == ASKED


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_catalogue_holds_the_code_of_its_language(language: str) -> None:
    with name_file(language, "po").open("rb") as file:
        found = read_po(file).get("en", "the code of this language")
    assert found is not None
    assert found.string == language.replace("_", "-")


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_text_for_people_goes_through_gettext(path: Path) -> None:
    bare = find_bare(
        path.read_text(),
        of_models=path.name == "models.py",
        of_admin=path.name.startswith("admin"),
    )
    assert not bare


@pytest.mark.parametrize(
    "path",
    [*OF_TERMINALS, *(path for path in messages.OTHERS if path.name == "checks.py")],
    ids=lambda path: str(path.relative_to(REPOSITORY)),
)
def test_each_text_of_a_check_or_a_command_goes_through_gettext(path: Path) -> None:
    assert not find_unmarked(path.read_text())


@pytest.mark.parametrize(
    "source",
    [
        'Error("It is so.", id="x")',
        'Error(f"It is {x}.", id="x")',
        'Error(_("Right.") % {"x": "It is so."})',
        'text = "It is so."',
        'class Command:\n    help = "It is so."',
        'parser.add_argument("--x", help="It is so.")',
        'raise CommandError("It is so.")',
        'self.stdout.write(f"{count} sessions ended")',
        'self.stdout.write(self.style.SUCCESS("It is so."))',
    ],
)
def test_an_unmarked_text_of_a_terminal_is_found(source: str) -> None:
    assert len(find_unmarked(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        '"""It is so."""',
        'Error(_("It is so."), hint=_("Do this.") % {"x": 1}, id="x")',
        'Text("It is so.", x=1)',
        'help = gettext_noop("It is so.")',
        '{"two words": 1}',
        'raise RuntimeError("It is so.")',
    ],
)
def test_a_marked_text_and_a_docstring_of_a_terminal_are_not_found(source: str) -> None:
    assert not find_unmarked(source)


@pytest.mark.parametrize("path", sorted(ROOT.rglob("templates/**/*.html")), ids=lambda path: path.name)
def test_each_text_of_a_template_goes_through_gettext(path: Path) -> None:
    assert not find_bare_in_template(path.read_text())


@pytest.mark.parametrize(
    "source",
    [
        'class A:\n    default_detail = "It is so."',
        'class A:\n    default_detail: str = "It is so."',
        'raise LoginRefused("It is so.")',
        'raise drf.ParseError("It is so.")',
        'raise serializers.ValidationError(f"It is {x}.", code="x")',
        'super().__init__("It is %(x)s." % y)',
        'super().__init__(_("It is so.") if a else "It is not.")',
        'drf.MethodNotAllowed("", detail="It is so.")',
        'body = {"detail": "It is so.", "code": "x"}',
        'admin.display(description="It is so")',
        'admin.display(description="Stage")',
        'context = {"title": f"Act as {x}"}',
        'models.CharField(help_text="It is so.")',
        'models.CharField(verbose_name="it is")',
        'self.message_user(request, f"{x} ended.", 1)',
    ],
)
def test_a_text_past_gettext_is_found(source: str) -> None:
    assert len(find_bare(source, of_models=True, of_admin=True)) == 1


@pytest.mark.parametrize(
    "source",
    [
        'class A:\n    default_detail = _("It is so.")',
        'raise drf.ParseError(_("It is so."))',
        'raise ProjectError("It is so.")',
        'raise ValueError("It is so.")',
        'raise TokenClaimInvalid("sub")',
        'body = {"detail": error.detail, "code": "x"}',
    ],
)
def test_a_marked_text_and_one_for_developers_are_not_found(source: str) -> None:
    assert not find_bare(source, of_models=True, of_admin=True)


@pytest.mark.parametrize("source", ["<p>It is so</p>", '<input value="It is so">'])
def test_a_text_of_a_template_past_gettext_is_found(source: str) -> None:
    assert find_bare_in_template(source) == ["It is so"]
    assert not find_bare_in_template(source.replace("It is so", "{% translate 'It is so' %}"))
