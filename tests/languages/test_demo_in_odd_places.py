"""The languages of the demo: hostile requests, caches, odd terminals, and a page without its catalogue."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PATIENCE, ROOT, require
from tools import messages
from tools.messages import DEMO, LANGUAGES

pytestmark = [pytest.mark.once, pytest.mark.slow]  # no database is behind these, and most start Python

CODES = [name.lower().replace("_", "-") for name in LANGUAGES]

SCRIPT = """
import json, sys
import django
django.setup()
from django.test import Client
answers = []
for method, path, headers, data, checked in json.load(sys.stdin):
    client = Client(enforce_csrf_checks=checked, raise_request_exception=False)
    answer = getattr(client, method)(path, data, headers={"host": "localhost", **headers})
    cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
    heads = {name.lower(): value for name, value in answer.headers.items()}
    answers.append([answer.status_code, heads, cookies, answer.content.decode()])
json.dump(answers, sys.stdout)
"""
"""The demo has settings of its own, so its requests run in a process of their own."""


def ask(folder: Path, *requests: tuple[Any, ...]) -> list[Any]:
    """Return status, headers, cookies and text of each answer."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps([(*request, None, False)[:5] for request in requests]),
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "demo.settings", "DEMO_DATA": str(folder)}
        | {"PYTHONPATH": os.pathsep.join([str(DEMO), *sys.path])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    answers: list[Any] = json.loads(done.stdout)
    return answers


def test_the_address_of_the_catalogue_has_its_language_so_no_cache_can_mix_them(tmp_path: Path) -> None:
    pages = ask(tmp_path, *(("get", "/", {"accept-language": code}) for code in CODES))
    for code, (_, heads, _, text) in zip(CODES, pages, strict=True):
        assert f'src="/language/{code}/messages.js"' in text
        assert f'<html lang="{code}" dir="{"rtl" if code == "ar" else "ltr"}">' in text
        assert heads["content-language"] == code
    # The language of the request is another one, as after a change in the menu.
    wanted = {"accept-language": "en", "cookie": "django_language=ja"}
    scripts = ask(tmp_path, *(("get", f"/language/{code}/messages.js", wanted) for code in CODES))
    assert {heads["content-language"] for _, heads, _, _ in scripts} == set(CODES)
    assert {heads["cache-control"] for _, heads, _, _ in scripts} == {"no-cache"}
    assert len({text for _, _, _, text in scripts}) == len(CODES)


def test_a_catalogue_of_an_unknown_language_does_not_exist(tmp_path: Path) -> None:
    names = ("xx", "nl", "DE", "pt-pt")
    answers = ask(tmp_path, *(("get", f"/language/{name}/messages.js", {}) for name in names))
    assert [status for status, *_ in answers] == [404] * len(names)


def test_the_page_for_a_missing_address_varies_by_the_cookie_of_the_menu(tmp_path: Path) -> None:
    path = "/%3Cb%3E%25(path)s{{7}}"
    [[status, heads, _, text]] = ask(tmp_path, ("get", path, {"cookie": "django_language=ar"}))
    assert (status, heads["content-language"]) == (404, "ar")
    assert {"Cookie", "Accept-Language"} <= set(heads["vary"].split(", "))
    assert "<code>/&lt;b&gt;%(path)s{{7}}</code>" in text


ODD = ("", "xx", "*", ",,;q=", "de;q=x", "../../etc", "de" * 5_000, "é", "a\x00b")


def test_odd_names_of_languages_are_english(tmp_path: Path) -> None:
    by_header = [("get", "/", {"accept-language": name}) for name in ODD]
    by_cookie = [("get", "/", {"cookie": f"django_language={name}"}) for name in ODD if ";" not in name]
    answers = ask(tmp_path, *by_header, *by_cookie)
    assert {(status, heads["content-language"]) for status, heads, *_ in answers} == {(200, "en")}


def test_the_menu_sends_nobody_to_another_site_and_needs_the_csrf_token(tmp_path: Path) -> None:
    change = ("post", "/language/", {"referer": "https://evil.example/"})
    places = ("//evil.example/", "https://evil.example", "/\\evil.example", "javascript:alert(1)")
    hostile = [(*change, {"language": "de", "next": place}) for place in places]
    wrong = (*change, {"language": "xx", "next": "/"})
    unchecked = (*change, {"language": "de", "next": "/"}, True)
    *answers, nowhere, refused = ask(tmp_path, *hostile, wrong, unchecked)
    for status, heads, cookies, _ in answers:
        assert (status, heads["location"], cookies) == (302, "/", {"django_language": "de"})
    assert (nowhere[0], nowhere[2]) == (302, {})
    assert (refused[0], refused[2]) == (403, {})


NO_LANGUAGE = dict.fromkeys(("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"), "")


def run_terminal(**names: str) -> str:
    """Return a message that serve.py prints in a shell with these variables."""
    done = subprocess.run(
        [sys.executable, "-c", "import serve; print(serve._('Stopped.'))"],
        env={
            **os.environ,
            "LANGUAGE": "",
            "LC_ALL": "",
            "LC_MESSAGES": "",
            "LANG": "",
            "PYTHONIOENCODING": "utf-8",
        }
        | {"PYTHONPATH": str(DEMO), **names},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode().strip()


@pytest.mark.parametrize("language", ["ru", "fr", "ja"])
def test_a_terminal_that_cannot_print_the_letters_gets_english(language: str) -> None:
    shown = run_terminal(LANGUAGE=language, PYTHONIOENCODING="ascii")
    assert shown.isascii()
    translated = run_terminal(LANGUAGE=language)
    assert translated != "Stopped."
    assert shown == (translated if translated.isascii() else "Stopped.")


def test_a_problem_with_the_port_is_readable_in_a_terminal_without_the_letters(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(DEMO / "serve.py")],
        env={**os.environ, "LANGUAGE": "ru", "LC_ALL": "", "LANG": "", "PYTHONIOENCODING": "ascii"}
        | {"PORT": "-1", "DEMO_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert "PORT must be a number" in done.stderr


@pytest.mark.parametrize("language", ["en:de", "en_GB.UTF-8:de", "a@@b.c:../../x"])
def test_a_shell_that_prefers_english_or_an_unknown_language_gets_english(language: str) -> None:
    assert run_terminal(LANGUAGE=language) == "Stopped."


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"LC_ALL": "C"}, "Stopped."),
        ({"LANG": "POSIX"}, "Stopped."),
        ({"LANG": "ja_JP.UTF-8"}, "Beendet."),
    ],
)
def test_the_locale_c_is_english_also_with_a_list_of_languages(names: dict[str, str], expected: str) -> None:
    assert run_terminal(LANGUAGE="de", **names) == expected


STUBS = """
const [lang, dir, languages, given] = JSON.parse(process.argv[1]);
globalThis.window = given ? { gettext: (text) => given[text] } : {};
globalThis.document = { documentElement: { lang, dir } };
Object.defineProperty(globalThis, "navigator", { value: { languages }, configurable: true });
const { LOCALES, fill, gettext, ngettext } = await import(process.argv[2]);
"""


def run_texts(
    folder: Path,
    code: str,
    *,
    lang: str = "en",
    languages: tuple[str, ...] = ("en",),
    catalogue: dict[str, str] | None = None,
) -> Any:
    """Return what an expression of JavaScript is, with the module that the page uses for its texts."""
    [node] = require("node")
    module = folder / "texts.mjs"  # the ending says that it is a module
    module.write_bytes((DEMO / "page" / "static" / "page" / "texts.js").read_bytes())
    script = f"{STUBS}\nconsole.log(JSON.stringify({code}));"
    about = json.dumps([lang, "rtl" if lang == "ar" else "ltr", languages, catalogue])
    done = subprocess.run(
        [node, "--input-type=module", "-e", script, about, module.as_uri()],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return json.loads(done.stdout)


def test_a_page_whose_catalogue_did_not_arrive_works_in_english(tmp_path: Path) -> None:
    plural = '[0, 1].map((n) => ngettext("%(count)s a", "%(count)s b", n))'
    code = f'[gettext("Hello."), gettext("No. %(n)s", {{ n: 1 }}), ...{plural}]'
    assert run_texts(tmp_path, code, lang="de") == ["Hello.", "No. 1", "0 b", "1 a"]


def test_a_value_is_neither_markup_nor_a_message(tmp_path: Path) -> None:
    code = 'gettext("%(user)s and %(x)s", { user: "%(x)s<b>$&", x: "$1" })'
    assert run_texts(tmp_path, code, catalogue={"%(user)s and %(x)s": "%(x)s, %(user)s"}) == "$1, %(x)s<b>$&"


@pytest.mark.parametrize(
    ("lang", "value", "expected"),
    [
        ("en", "anna", "anna"),
        ("en", "\u0633\u0644", "\u2068\u0633\u0644\u2069"),
        ("en", "a\u202eb", "\u2068a\u202eb\u2069"),
        ("ar", "anna", "\u2068anna\u2069"),
        ("ar", 7, "\u20687\u2069"),
        ("ar", "a\u2069b", "\u2068ab\u2069"),
        ("ar", "a\u2067b", "\u2068a\u2067b\u2069\u2069"),
        ("ar", "\u2068a\u2069b", "\u2068\u2068a\u2069b\u2069"),
    ],
)
def test_a_value_cannot_turn_the_text_around_it(
    lang: str, value: str | int, expected: str, tmp_path: Path
) -> None:
    assert run_texts(tmp_path, f'gettext("%(v)s", {{ v: {json.dumps(value)} }})', lang=lang) == expected


def test_a_browser_with_a_name_that_is_not_a_locale_shows_times(tmp_path: Path) -> None:
    code = "[LOCALES, typeof new Date(0).toLocaleTimeString(LOCALES)]"
    found = run_texts(tmp_path, code, languages=("en-US@posix", "en-GB", "de"))
    assert found == [["en-GB", "en"], "string"]


@pytest.mark.parametrize("arguments", [["--chek"], ["--check", "de"], ["de"], [""]])
def test_a_mistyped_check_of_the_messages_writes_nothing(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(messages, "DOMAINS", (messages.SERVER._replace(locale=tmp_path),))
    assert messages.main(arguments) == 2
    assert "usage:" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_the_messages_are_read_as_utf8_in_each_locale() -> None:
    code = "import sys; from tools.messages import find_messages, SERVER; sys.exit(not find_messages(SERVER))"
    names = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **names}, cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]


def test_the_terminal_has_no_line_for_the_messages_that_the_page_needs(tmp_path: Path) -> None:
    code = (
        "from demo.asgi import _print_answer as note\n"
        "for status, path in ((200, '/language/de/messages.js'), (404, '/language/'), (302, '/language/')):\n"
        "    note({'method': 'GET', 'path': path}, {'type': 'http.response.start', 'status': status})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "demo.settings", "DEMO_DATA": str(tmp_path)}
        | {"PYTHONPATH": os.pathsep.join([str(DEMO), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["404", "302"]
