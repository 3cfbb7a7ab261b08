"""Chinese is the first language: every message has its translation, and the translation says the same."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted((ROOT / "platform" / "fanyong" / "translations").glob("*/LC_MESSAGES/messages.po"))
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[a-z]|%%|\{\w*\}")
REMEDY = "babel.cfg says which two commands take new texts into the catalogue; then fill them in"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Everything the code and the pages say."""
    path = tmp_path_factory.mktemp("messages") / "messages.pot"
    command = [sys.executable, "-m", "babel.messages.frontend", "-q", "extract", "-F", "babel.cfg", "-k", "_l"]
    subprocess.run([*command, "-o", str(path), "."], cwd=ROOT, check=True)
    with path.open("rb") as file:
        return read_po(file)


@pytest.fixture(scope="module", params=CATALOGUES, ids=lambda path: path.parts[-3])
def catalogue(request: pytest.FixtureRequest) -> Catalog:
    """One language's catalogue."""
    with request.param.open("rb") as file:
        return read_po(file, locale=request.param.parts[-3])


def texts(message: Message) -> list[str]:
    """Return the message itself, in singular and plural."""
    return list(message.id) if isinstance(message.id, (list, tuple)) else [str(message.id)]


def translations(message: Message) -> list[str]:
    """Return what the message is translated to, in every plural form the language has."""
    return list(message.string) if isinstance(message.string, (list, tuple)) else [str(message.string or "")]


def test_chinese_is_there() -> None:
    assert [path.parts[-3] for path in CATALOGUES] == ["zh"]


def test_every_message_is_translated(template: Catalog, catalogue: Catalog) -> None:
    missing = [
        f"{message.locations[0][0]}: {texts(message)[0]}"
        for message in template
        if message.id and not ((found := catalogue.get(message.id)) and all(translations(found)))
    ]
    assert not missing, f"{REMEDY}:\n" + "\n".join(missing)


def test_no_translation_is_a_guess(catalogue: Catalog) -> None:
    fuzzy = [texts(message)[0] for message in catalogue if message.id and message.fuzzy]
    assert not fuzzy, "look at these and take the mark 'fuzzy' away:\n" + "\n".join(fuzzy)


def test_no_translation_is_left_over(template: Catalog, catalogue: Catalog) -> None:
    left_over = [texts(message)[0] for message in catalogue if message.id and template.get(message.id) is None]
    assert not left_over, f"{REMEDY}:\n" + "\n".join(left_over)


def test_translations_keep_the_placeholders(catalogue: Catalog) -> None:
    wrong = [
        f"{texts(message)[0]} -> {translation}"
        for message in catalogue
        if message.id
        for translation in translations(message)
        if sorted(PLACEHOLDER.findall(texts(message)[-1])) != sorted(PLACEHOLDER.findall(translation))
    ]
    assert not wrong, "\n".join(wrong)


def test_translations_keep_the_space_around_them(catalogue: Catalog) -> None:
    """A space that is lost glues two texts together; Chinese punctuation carries its own."""
    wrong = [
        texts(message)[0]
        for message in catalogue
        if message.id
        for translation in translations(message)
        if translation != translation.strip()
    ]
    assert not wrong, "\n".join(wrong)
