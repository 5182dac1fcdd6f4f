"""Pictures of units from a folder, and nothing else from anywhere."""

from __future__ import annotations

from pathlib import Path

from martello.errors import DataError

__all__ = ["image_file"]

#: No SVG: it is a document that may hold scripts.
_KINDS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".bmp": "image/bmp",
}


def image_file(root: Path | None, name: str) -> tuple[Path, str]:
    """Find a picture by its path below the folder, and say its media type.

    Raises
    ------
    DataError
        ``web.no-image`` when it is not there, lies elsewhere, or is no picture.
    """
    kind = _KINDS.get(Path(name).suffix.lower())
    if root is not None and kind is not None and "\0" not in name:
        home = root.resolve()
        path = (home / name).resolve()  # follows links: a link out of the folder leads out of it
        if path.is_relative_to(home) and path.is_file():
            return path, kind
    raise DataError(
        "web.no-image",
        "there is no such picture",
        where=name,
        expected="a path below the folder of pictures, ending in " + ", ".join(_KINDS),
    )
