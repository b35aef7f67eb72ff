"""Bytes → upright 8-bit BGR pixels.

JPEG, PNG and WebP go through OpenCV in one pass, with the pixels that `cv2.imread` gives, EXIF
orientation applied; CMYK JPEGs and 16-bit PNGs too, where it agrees with Pillow to one level.
Pillow takes what OpenCV gets wrong: transparent pixels are laid over white (OpenCV shows the
colours that hide below them), and of an animation the first frame counts. GIF and BMP are decoded
since their readers are small; TIFF, AVIF and HEIC are not, since theirs are large and have a long
record of memory errors. Colour profiles are not applied.
"""

from __future__ import annotations

import io
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import BmpImagePlugin, GifImagePlugin, Image, PngImagePlugin, WebPImagePlugin
from PIL.ImageFile import ImageFile

from schemas.errors import DamagedImage, TooManyPixels
from stream.image_headers import Format, Header, read_header

Pixels = NDArray[np.uint8]

#: the readers themselves and not `Image.open`: no other format is tried, no global limit consulted
_READERS: dict[Format, type[ImageFile]] = {
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
}
_ORIENTATION_TAG = 0x0112
_WHITE = (255, 255, 255)


def decode(data: bytes, max_pixels: int) -> Pixels:
    """The image's pixels: (H, W, 3) uint8 BGR, C-contiguous, turned upright by EXIF.

    Size is checked before anything is allocated. Raises `NotAnImage`, `TooManyPixels`,
    `DamagedImage`. Blocks; releases the GIL while it decodes; safe in many threads at once.
    """
    header = read_header(data)
    _check_size(header.width, header.height, max_pixels)
    if not header.whole:
        raise DamagedImage(f"the image is cut off after {len(data)} bytes")
    if header.layered:
        return _decode_with_pillow(data, header, max_pixels)
    return _decode_with_opencv(data)


def _check_size(width: int, height: int, max_pixels: int) -> None:
    if width <= 0 or height <= 0:
        raise DamagedImage(f"the image says it has {width}×{height} pixels")
    if width * height > max_pixels:
        raise TooManyPixels(f"the image has {width}×{height} pixels; the limit is {max_pixels}")


def _decode_with_opencv(data: bytes) -> Pixels:
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DamagedImage("the image does not decode: it is cut off or corrupt")
    return cast("Pixels", pixels)


def _decode_with_pillow(data: bytes, header: Header, max_pixels: int) -> Pixels:
    try:
        with _READERS[header.format](io.BytesIO(data)) as image:
            # A GIF's first frame may be larger than the screen that its header names.
            _check_size(*image.size, max_pixels)
            orientation = _orientation(image)
            image.load()
            return _upright(_flattened(image), orientation)
    except (DamagedImage, TooManyPixels, MemoryError):
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise TooManyPixels(f"the image has more pixels than the limit of {max_pixels}") from None
    except Exception:  # noqa: BLE001 - on hostile bytes these readers raise whatever they like
        raise DamagedImage("the image does not decode: it is cut off or corrupt") from None


def _flattened(image: Image.Image) -> Pixels:
    """Any mode over white: (H, W, 3) uint8 BGR."""
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layered = image.convert("RGBA")
        flat = Image.new("RGB", layered.size, _WHITE)
        flat.paste(layered, mask=layered.getchannel("A"))
    else:
        flat = image.convert("RGB")
    return cast("Pixels", cv2.cvtColor(np.asarray(flat), cv2.COLOR_RGB2BGR))


def _orientation(image: ImageFile) -> int:
    """EXIF's, 1 to 8; 1, which is upright, where there is none that can be read."""
    exif = image.info.get("exif")
    if not isinstance(exif, bytes):
        return 1
    try:
        tags = Image.Exif()
        tags.load(exif)
        value = tags.get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001 - a broken note beside the image is no reason to refuse it
        return 1
    return value if isinstance(value, int) else 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """What EXIF's orientation says to do to the stored pixels to see them as they were taken."""
    if orientation in (5, 6, 7, 8):
        pixels = cv2.transpose(pixels)
    flip = {2: 1, 3: -1, 4: 0, 6: 1, 7: -1, 8: 0}.get(orientation)
    return pixels if flip is None else cast("Pixels", cv2.flip(pixels, flip))
