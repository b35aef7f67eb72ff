"""What `publish` is pointed at becomes photographs, lazily and in the order of their names."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from cli.photographs import NoPhotographs, Photograph, find


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("b/2.JPG", "b/1.png", "a/x.webp", "notes.txt", ".hidden/z.jpg", "b/._1.jpg"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path


def names(*arguments: str | Path) -> list[str]:
    return [photograph.name for photograph in find(map(str, arguments))]


def test_a_folder_gives_its_images_below_it_in_order_without_hidden_ones(tree: Path) -> None:
    assert names(tree) == ["a/x.webp", "b/1.png", "b/2.JPG"]


def test_a_named_file_is_taken_whatever_it_is(tree: Path) -> None:
    assert names(tree / "notes.txt", tree / "b" / "1.png") == ["notes.txt", "1.png"]


def test_a_glob_is_expanded_where_the_shell_did_not(tree: Path) -> None:
    assert names(tree / "**" / "*.png", tree / "b" / "*") == ["1.png", "1.png", "2.JPG"]


def test_a_file_whose_name_is_a_glob_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "[1].jpg").touch()
    assert names(tmp_path / "[1].jpg") == ["[1].jpg"]


@pytest.mark.parametrize("scheme", ["http", "https", "s3", "gs", "az", "file", "HTTPS"])
def test_an_address_is_passed_on_as_it_is(scheme: str) -> None:
    uri = f"{scheme}://host/folder/a.jpg"
    assert list(find([uri])) == [Photograph(name=uri, uri=uri)]


def test_an_addresss_query_and_credentials_are_not_shown() -> None:
    (photograph,) = find(["https://user:secret@host/a.jpg?token=secret"])
    assert photograph.name == "https://host/a.jpg"
    assert photograph.uri == "https://user:secret@host/a.jpg?token=secret"


@pytest.mark.parametrize("argument", ["nothing-here.jpg", "no*match", "ftp://host/a.jpg"])
def test_what_leads_nowhere_is_named(argument: str) -> None:
    with pytest.raises(NoPhotographs, match=re.escape(argument.partition(":")[0])):
        list(find([argument]))


def test_a_folder_without_images_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoPhotographs, match=tmp_path.name):
        list(find([str(tmp_path)]))


def test_nothing_is_looked_up_before_it_is_wanted(tree: Path) -> None:
    found = find([str(tree), "nothing-here.jpg"])
    assert next(found).name == "a/x.webp"


def test_a_name_that_is_no_utf_8_becomes_text(tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"))).touch()
    assert names(tmp_path) == ["\N{REPLACEMENT CHARACTER}.jpg"]


@pytest.mark.parametrize(
    ("photograph", "folder", "file_name"),
    [
        (Photograph("a.jpg", path=Path("/x/Ann/a.jpg")), "Ann", "a.jpg"),
        (Photograph("", uri="s3://bucket/Ann/a%20b.jpg?version=1"), "Ann", "a b.jpg"),
        (Photograph("", uri="s3://bucket/a.jpg"), "", "a.jpg"),
        (Photograph("", uri="https://host"), "", ""),
    ],
)
def test_folder_and_file_name(photograph: Photograph, folder: str, file_name: str) -> None:
    assert (photograph.folder, photograph.file_name) == (folder, file_name)
