"""What the documents point at is there: files, headings, commands, settings, code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.command_lines import check_command

ROOT = Path(__file__).parents[2]
DOCS = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *DOCS]

_BLOCK = re.compile(r"^```.*?\n(.*?)^```", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_COMMAND = re.compile(r"\bfacestream[ \t]+([^\n|;&]*)")
_SETTING = re.compile(r"([A-Z]+(?:_[A-Z0-9]+)+)(?:_(\*))?(?:=.*)?")
_MEMBER = re.compile(r"([A-Z]\w+)\.(\w+)(?:\(.*\))?")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def commands(page: Path) -> list[str]:
    """What follows `facestream`, in blocks and in spans of code."""
    blocks = "\n".join(_BLOCK.findall(page.read_text(encoding="utf-8"))).replace("\\\n", " ")
    code = "\n".join([blocks, *_SPAN.findall(prose(page))])
    return [found.strip() for found in _COMMAND.findall(code)]


def anchors(page: Path) -> set[str]:
    """Headings as GitHub makes anchors of them."""
    titles = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file_and_its_heading(page: Path) -> None:
    for link in _LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link) or link.startswith("/"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_is_there_with_its_options(page: Path) -> None:
    for line in commands(page):
        check_command(line)


def test_commands_are_found_in_blocks_and_in_spans() -> None:
    found = commands(ROOT / "README.md")
    assert "topics --partitions 8" in found  # a block
    assert "bench --help" in found  # a span


@pytest.mark.parametrize("line", ["nothing", "topics --nothing 8", "rejected nothing", "up --edge"])
def test_a_command_or_option_that_is_not_there_is_noticed(line: str) -> None:
    with pytest.raises(AssertionError, match=line):
        check_command(line)


@pytest.mark.parametrize("page", DOCS, ids=lambda page: page.name)
def test_every_setting_that_is_named_is_in_the_example_of_all(page: Path) -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    settings = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", example, re.MULTILINE))
    for span in _SPAN.findall(prose(page)):
        if found := _SETTING.fullmatch(span):
            name, any_of = found.groups()
            assert any(s.startswith(name) if any_of else s == name for s in settings), span


def test_the_code_that_the_architecture_names_is_there() -> None:
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for package in ("schemas", "stream", "http_edge")
        for path in (ROOT / package).rglob("*.py")
    )
    named = [
        _MEMBER.fullmatch(span) for span in _SPAN.findall(prose(ROOT / "docs/architecture.md"))
    ]
    members = [found.groups() for found in named if found]
    assert len(members) > 8
    for owner, name in members:
        body = re.search(rf"^class {owner}\b.*?(?=^\S|\Z)", code, re.DOTALL | re.MULTILINE)
        assert body, owner
        assert re.search(rf"(def |self\.|^    ){name}\b", body[0], re.MULTILINE), f"{owner}.{name}"


def test_the_readme_links_every_page() -> None:
    linked = set(_LINK.findall(prose(ROOT / "README.md")))
    assert {f"docs/{page.name}" for page in DOCS} <= linked
