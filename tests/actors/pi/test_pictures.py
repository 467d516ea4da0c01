"""Pictures by what they are, not by what they are called; one that cannot be used keeps none of the others."""

import base64
from pathlib import Path

import pytest

from actors.pi import pictures
from actors.pi.pictures import kind_of, load

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 20
GIF = b"GIF89a" + b"x" * 20
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "


def test_the_type_is_read_from_the_content() -> None:
    found = [kind_of(content) for content in (PNG, JPEG, GIF, WEBP, b"", b"<svg>", b"RIFF\x10\0\0\0WAVEfmt ")]
    assert found == ["image/png", "image/jpeg", "image/gif", "image/webp", None, None, None]


async def test_what_can_be_used_comes_in_order_and_the_rest_is_said(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (tmp_path / "outside.png").write_bytes(PNG)
    (work / "link.png").symlink_to(tmp_path / "outside.png")
    (work / "a.txt").write_bytes(JPEG)
    (work / "b.png").write_bytes(PNG)
    (work / "c.png").write_text("no picture")
    paths = [str(work / name) for name in ("a.txt", "nowhere.png", "link.png", "c.png", "b.png")]
    images, refused = await load(str(work), paths)
    assert [(image.mime_type, base64.b64decode(image.data)) for image in images] == [
        ("image/jpeg", JPEG),
        ("image/png", PNG),
    ]
    assert refused == [
        "the picture nowhere.png was left out: it does not exist",
        "the picture link.png was left out: it is outside of the workspace",
        "the picture c.png was left out: it is no PNG, JPEG, GIF or WebP",
    ]


async def test_there_is_a_bound_for_one_and_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_SIZE", len(PNG))
    monkeypatch.setattr(pictures, "MAX_TOTAL", 2 * len(PNG) + 1)
    for name in "abc":
        (tmp_path / name).write_bytes(PNG)
    (tmp_path / "large").write_bytes(PNG + b"x")
    images, refused = await load(str(tmp_path), [str(tmp_path / name) for name in ("large", "a", "b", "c")])
    assert len(images) == 2
    assert [why.partition(" was")[0] for why in refused] == ["the picture large", "the picture c"]
    assert all("too large" in why for why in refused)
