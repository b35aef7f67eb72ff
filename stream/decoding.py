"""Bytes → upright 8-bit BGR pixels.

JPEG and plain WebP go through OpenCV in one pass, with the pixels that `cv2.imread` gives, EXIF
orientation applied; CMYK JPEGs too, where it agrees with Pillow to one level. Pillow takes the
rest. It gets right what OpenCV gets wrong: transparent pixels are laid over white (OpenCV shows
the colours that hide below them), and of an animation the first frame counts; and it leaves a PNG
when its pixels are complete, where OpenCV unfolds all that follows them. GIF and BMP are decoded
since their readers are small; TIFF, AVIF and HEIC are not, since theirs are large and have a long
record of memory errors, nor is compressed BMP, which Pillow unpacks in Python, in half a minute
where it is made to be slow. Colour profiles are not applied.
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
from stream.image_headers import Header, read_header
from stream.io.formats import Format

Pixels = NDArray[np.uint8]

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
        return _upright(_decode_with_pillow(header, max_pixels), header.orientation)
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
