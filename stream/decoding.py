"""Bytes → upright 8-bit BGR pixels.

JPEG and plain WebP go through OpenCV in one pass, with the pixels that `cv2.imread` gives, EXIF
orientation applied; CMYK JPEGs too, where it agrees with Pillow to one level. Pillow takes the
rest. It gets right what OpenCV gets wrong: transparent pixels are laid over white (OpenCV shows
the colours that hide below them), and of an animation the first frame counts; and it leaves a PNG
when its pixels are complete, where OpenCV unfolds all that follows them. GIF and BMP are decoded
since their readers are small; TIFF, AVIF and HEIC are not, since theirs are large and have a long
record of memory errors, nor is compressed BMP, which Pillow unpacks in Python, in half a minute
where it is made to be slow. Colour profiles are not applied.

A JPEG's transform gives a half, a quarter or an eighth of its sides at once: of a photograph that
is far larger than what looks at it, the other pixels are never made.
"""

from __future__ import annotations

import io
from functools import partial
from typing import cast

import cv2
import numpy as np
from PIL import BmpImagePlugin, GifImagePlugin, Image, PngImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile

from schemas.errors import DamagedImage, TooManyPixels
from stream.image_headers import Header, read_header
from stream.io.formats import Format
from stream.photograph import Photograph, Pixels, Reduction

#: the readers themselves and not `Image.open`: no other format is tried, no global limit consulted
_READERS: dict[Format, type[ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}
_WHITE = (255, 255, 255)
#: flattened at a time: an image's layers are copied some five times on the way
_STRIP_PIXELS = 1024 * 1024
_REDUCED: dict[Reduction, int] = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def decode(data: bytes, max_pixels: int) -> Pixels:
    """The image's pixels: (H, W, 3) uint8 BGR, C-contiguous, turned upright by EXIF.

    Size is checked before anything is allocated. Raises `NotAnImage`, `TooManyPixels`,
    `DamagedImage`. Blocks; releases the GIL while it decodes; safe in many threads at once.
    """
    header = _checked_header(data, max_pixels)
    if header.layered:
        return _upright(_decode_with_pillow(header, max_pixels), header.orientation)
    return _decode_with_opencv(data, 1)


def open_photograph(data: bytes, max_pixels: int, enough_px: int | None = None) -> Photograph:
    """The image, reduced as far as its longer side still has `enough_px`; `None`: whole.

    Only JPEGs are reduced. Raises and blocks as `decode` does.
    """
    header = _checked_header(data, max_pixels)
    reduced_by = 1 if enough_px is None else _reduction(header, enough_px)
    if reduced_by == 1:
        return Photograph.whole(decode(data, max_pixels))
    seen = _decode_with_opencv(data, reduced_by)
    height, width = header.height, header.width
    if seen.shape[0] != -(-height // reduced_by):  # EXIF laid it on its side
        height, width = width, height
    return Photograph(height, width, seen, reduced_by, partial(_decode_with_opencv, data))


def _checked_header(data: bytes, max_pixels: int) -> Header:
    header = read_header(data)
    _check_size(header.width, header.height, max_pixels)
    if not header.whole:
        raise DamagedImage(f"the image is cut off after {len(data)} bytes")
    return header


def _reduction(header: Header, enough_px: int) -> Reduction:
    if header.format != "jpeg":
        return 1
    longer_px, shorter_px = sorted((header.width, header.height), reverse=True)
    for by in sorted(_REDUCED, reverse=True):
        # else nothing would tell whether EXIF turned the image
        tells_its_sides = longer_px == shorter_px or -(-longer_px // by) != -(-shorter_px // by)
        if longer_px >= enough_px * by and tells_its_sides:
            return by
    return 1


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width <= 0 or height <= 0:
        raise DamagedImage(f"the image says it has {width}×{height} pixels")
    if width * height > max_pixels:
        raise TooManyPixels(f"the image has {width}×{height} pixels; the limit is {max_pixels}")


def _decode_with_opencv(data: bytes, reduced_by: Reduction) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), _REDUCED[reduced_by])
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DamagedImage("the image does not decode: it is cut off or corrupt")
    return cast("Pixels", pixels)


def _decode_with_pillow(header: Header, max_pixels: int) -> Pixels:
    try:
        with _READERS[header.format](io.BytesIO(header.data)) as image:
            _check_size(*image.size, max_pixels)
            image.load()
            return _flattened(image)
    except (DamagedImage, TooManyPixels, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels(f"the image has more pixels than the limit of {max_pixels}") from None
    except Exception:  # noqa: BLE001 - on hostile bytes these readers raise whatever they like
        raise DamagedImage("the image does not decode: it is cut off or corrupt") from None


def _flattened(image: Image.Image) -> Pixels:
    """Any mode over white: (H, W, 3) uint8 BGR."""
    width, height = image.size
    pixels = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        strip = _opaque(image.crop((0, top, width, bottom)))
        cv2.cvtColor(np.asarray(strip), cv2.COLOR_RGB2BGR, dst=pixels[top:bottom])
    return pixels


def _opaque(image: Image.Image) -> Image.Image:
    """Any mode over white, as RGB."""
    if image.mode == "I;16":
        # Transparency of one 16-bit grey is not looked at: no camera and no editor writes it.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        flat = Image.new("RGB", layered.size, _WHITE)
        flat.paste(layered, mask=layered.getchannel("A"))
        return flat
    return image.convert("RGB")


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """What EXIF's orientation says to do to the stored pixels to see them as they were taken."""
    if orientation in (5, 6, 7, 8):
        pixels = cv2.transpose(pixels)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else cast("Pixels", cv2.flip(pixels, flip))
