"""The allow-list reads an address once, and lets through only what it names."""

from __future__ import annotations

import contextlib
import random

import pytest

from schemas.errors import ImageForbidden
from stream.io.sources import Sources, public_uri, read_file_uri

LISTED = Sources.parse(
    "https://images.example.com/, https://*.example.org/, http://127.0.0.1:8080/photos/,"
    "http://[::1]:8080/, s3://bucket/photos/, gs://whole-bucket, file:///data/photos/"
)
ANYWHERE = Sources.parse("https://*,http://*")


@pytest.mark.parametrize(
    ("uri", "public_only"),
    [
        ("https://images.example.com/a.jpg", False),
        ("https://images.example.com:443/a.jpg", False),
        ("HTTPS://IMAGES.EXAMPLE.COM/a.jpg", False),
        ("https://images.example.com", False),
        ("https://images.example.com/a.jpg?size=2&token=x", False),
        ("https://images.example.com/a%20b/ü@2x.jpg", False),
        ("https://images.example.com/x/../a.jpg", False),
        ("https://cdn.example.org/a.jpg", True),
        ("https://a.b.example.org/a.jpg", True),
        ("http://127.0.0.1:8080/photos", False),
        ("http://127.0.0.1:8080/photos/a.jpg", False),
        ("http://[::1]:8080/a.jpg", False),
    ],
)
def test_what_is_listed_is_allowed(uri: str, public_only: bool) -> None:
    assert LISTED.web_address(uri).public_only is public_only


@pytest.mark.parametrize(
    "uri",
    [
        # other places
        "http://images.example.com/a.jpg",
        "https://images.example.com:8443/a.jpg",
        "https://example.com/a.jpg",
        "https://evil.com/images.example.com/",
        "https://images.example.com.evil.com/a.jpg",
        "https://images.example.com./a.jpg",
        "https://evilimages.example.com/a.jpg",
        "https://example.org/a.jpg",
        "https://evilexample.org/a.jpg",
        "https://example.org.evil.com/",
        "https://.example.org/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "http://127.0.0.1:8081/photos/a.jpg",
        "http://127.1:8080/photos/a.jpg",
        "http://0x7f000001:8080/photos/a.jpg",
        "http://localhost:8080/photos/a.jpg",
        "http://[::ffff:127.0.0.1]:8080/photos/",
        "http://[::1%25lo]:8080/",
        # two readers, two hosts
        "https://images.example.com@evil.com/",
        "https://evil.com\\@images.example.com/",
        "https://images.example.com\\.evil.com/",
        "https://evil.com#@images.example.com/",
        "https://evil.com?@images.example.com/",
        "https://evil.com;@images.example.com/",
        "https://images.example.com%2eevil.com/",
        "https://images.example.com%00.evil.com/",
        "https://images.example.com%0d%0a.evil.com/",
        "https://images.example.com\t/a.jpg",
        "https://images.example.com\r\nHost: evil.com/",
        "https://images.example.com /a.jpg",
        "https://images\u200b.example.com/",
        "https:/images.example.com/a.jpg",
        "https:images.example.com/a.jpg",
        "https:///images.example.com/a.jpg",
        "//images.example.com/a.jpg",
        " https://images.example.com/a.jpg",
        "https://*.example.org/",
        "https://[images.example.com]/",
        "https://[::1/",
        "https://images.example.com:99999/",
        "https://images.example.com:8a/",
        # credentials
        "https://user:secret@images.example.com/a.jpg",
        "https://user@images.example.com/a.jpg",
        "https://@images.example.com:secret@images.example.com/a.jpg",
        # paths
        "http://127.0.0.1:8080/",
        "http://127.0.0.1:8080/photos2/a.jpg",
        "http://127.0.0.1:8080/PHOTOS/a.jpg",
        "http://127.0.0.1:8080/photos/../secret",
        "http://127.0.0.1:8080/photos/%2e%2e/secret",
        "http://127.0.0.1:8080/photos/..;a=b/secret",
        "http://127.0.0.1:8080/photos/..%2fsecret",
        "http://127.0.0.1:8080/photos/..%5csecret",
        "http://127.0.0.1:8080/photos/%252e%252e/secret",
        "http://127.0.0.1:8080/photos/x%2f..%2f..%2fsecret",
        # other schemes
        "ftp://images.example.com/a.jpg",
        "gopher://images.example.com/",
        "data:image/png;base64,AAAA",
        "javascript://images.example.com/%0aalert(1)",
        "",
        "://",
        "https://",
        "https://\udc80/",
        "https://" + "a." * 4000 + "com/",
    ],
)
def test_what_is_not_listed_is_forbidden(uri: str) -> None:
    with pytest.raises(ImageForbidden):
        LISTED.web_address(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "https://u:p@8.8.8.8/",
        "https://[fe80::1%25eth0]/",
        "https://a\\b/",
        "https://a b/",
        "https://ex%61mple.com/",
        "https://x/../../%2e%2e%2f",
        "ftp://example.com/",
        "https://example.com:8443/",
        "https:///x",
    ],
)
def test_a_wildcard_for_all_hosts_does_not_allow_malformed_addresses(uri: str) -> None:
    with pytest.raises(ImageForbidden):
        ANYWHERE.web_address(uri)


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "tail", ["%" + "25" * 4000 + "2e", "%" + "25" * 5_000_000 + "2e", "a" * 8192, "%25" * 20_000]
)
def test_an_address_that_is_long_to_read_is_not_read(tail: str) -> None:
    with pytest.raises(ImageForbidden) as caught:
        ANYWHERE.web_address("https://example.com/" + tail)
    assert len(str(caught.value)) < 10_000


def test_a_path_may_be_encoded_several_times() -> None:
    ANYWHERE.web_address("https://example.com/resize/https%25253A%25252F%25252Fh%25252Fa.jpg")


def test_a_host_that_is_both_named_and_matched_counts_as_named() -> None:
    sources = Sources.parse("https://*,https://intranet/")
    assert sources.web_address("https://intranet/a").public_only is False
    assert sources.web_address("https://intranet2/a").public_only is True


@pytest.mark.parametrize(
    ("uri", "key"),
    [
        ("s3://bucket/photos/a.jpg", "photos/a.jpg"),
        ("S3://bucket/photos/a b%20#1?.jpg", "photos/a b%20#1?.jpg"),
        ("gs://whole-bucket/a", "a"),
    ],
)
def test_a_key_is_taken_as_it_stands(uri: str, key: str) -> None:
    assert LISTED.object_address(uri).key == key


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket",
        "s3://bucket/",
        "s3://bucket/secret.jpg",
        "s3://bucket/photos2/a.jpg",
        "s3://bucket/photos/../secret.jpg",
        "s3://bucket/photos/%2e%2e/secret.jpg",
        "s3://bucket/photos/./a.jpg",
        "s3://bucket/photos//a.jpg",
        "s3://bucket//photos/a.jpg",
        "s3://bucket/photos/",
        "s3://bucket/photos/a\n.jpg",
        "s3://bucket2/photos/a.jpg",
        "s3://key:secret@bucket/photos/a.jpg",
        "s3://bucket:443/photos/a.jpg",
        "s3://bucket#/photos/a.jpg",
        "s3://../photos/a.jpg",
        "s3:///photos/a.jpg",
        "s3:bucket/photos/a.jpg",
        "gs://bucket/photos/a.jpg",
        "az://bucket/photos/a.jpg",
        "abfs://bucket/photos/a.jpg",
        "memory:///a.jpg",
        "nothing",
    ],
)
def test_other_objects_are_forbidden(uri: str) -> None:
    with pytest.raises(ImageForbidden):
        LISTED.object_address(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "file://other-host/etc/passwd",
        "file:/etc/passwd",
        "file:",
        "file://",
        "file:///a%00b",
        "/a",
    ],
)
def test_a_file_address_is_of_this_machine_and_absolute(uri: str) -> None:
    with pytest.raises(ImageForbidden):
        read_file_uri(uri)


def test_a_file_address_is_percent_decoded_once() -> None:
    assert read_file_uri("file:///a%20b/%252e/ü%C3%BC") == "/a b/%2e/üü"
    assert read_file_uri("FILE://localhost/a") == "/a"
    assert read_file_uri("file:///\udc80") == "/?", "half a character is none of a name"


@pytest.mark.parametrize(
    "text",
    [
        "images.example.com",
        "https://",
        "https://user:secret@h/",
        "https://h/?token=secret",
        "https://exa*mple.com/",
        "https://*example.com/",
        "https://*.*.com/",
        "https://*.example.com/*.jpg",
        "s3://",
        "s3://*/",
        "file://host/data",
        "/data/photos",
        "ftp://h/",
    ],
)
def test_a_prefix_that_is_none_is_named_without_its_secrets(text: str) -> None:
    with pytest.raises(ValueError, match="in IMAGE_SOURCES") as caught:
        Sources.parse(f"https://good.example/,{text}")
    assert "secret" not in str(caught.value)


def test_an_empty_list_allows_nothing() -> None:
    nothing = Sources.parse(" , ")
    assert nothing == Sources()
    with pytest.raises(ImageForbidden):
        nothing.web_address("https://example.com/")


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("https://h/a.jpg", "https://h/a.jpg"),
        ("https://user:secret@h:8080/a.jpg?token=secret#secret", "https://h:8080/a.jpg"),
        ("https://user:se?cret@h/a", "https://h/a"),
        ("https://user:se#cret@h/a", "https://h/a"),
        ("https://user:se@cret@h/a", "https://h/a"),
        ("https://user:se/cret@h/a", "https://…"),
        ("s3://AKIA:se/cret@bucket/a", "s3://…"),
        ("s3://bucket/a@2x.jpg?versionId=secret", "s3://bucket/a@2x.jpg"),
        ("https://proxy/https://user:secret@h/a", "https://proxy/https://h/a"),
        ("user:secret@h/a?secret", "h/a"),
        ("https:user:secret@h", "h"),
        ("https:/user:secret@h", "h"),
        ("file:///a b/ü.jpg", "file:///a b/ü.jpg"),
        ("https://[::1]:80/a", "https://[::1]:80/a"),
        ("https://h/a\r\nSet-Cookie: x", "https://h/a\ufffd\ufffdSet-Cookie: x"),
        ("", ""),
        ("?secret", ""),
        ("://@", ""),
    ],
)
def test_a_shown_address_holds_no_secrets(uri: str, shown: str) -> None:
    assert public_uri(uri) == shown
    assert "secret" not in public_uri(uri)


def test_showing_an_address_never_fails() -> None:
    random_ = random.Random(7)
    alphabet = ":/@?#[]%\\.* \x00\n\udc80aü1"
    for _ in range(3000):
        text = "".join(random_.choices(alphabet, k=random_.randrange(24)))
        assert public_uri(text).isprintable()
        for sources in (LISTED, ANYWHERE):
            with pytest.raises(ImageForbidden):
                sources.web_address(text)


def test_reading_an_address_ends_well_or_as_forbidden() -> None:
    random_ = random.Random(8)
    pieces = ["h", "[", "]", "@", ":", "//", "..", "%2e", "%", "?", "#", ";", "\u3002", "::1", "80"]
    read = 0
    for _ in range(5000):
        text = "http://" + "".join(random_.choices(pieces, k=random_.randrange(6)))
        with contextlib.suppress(ImageForbidden):
            url = ANYWHERE.web_address(text).url
            assert url.raw_host
            assert url.raw_user is None
            read += 1
    assert read > 100
