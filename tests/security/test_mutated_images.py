"""Files that no encoder wrote: each ends with pixels or an error of ours, and its process lives."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.security.decoding_child import MEMORY_BYTES, DecodingChild
from tests.security.mutations import mutated, sound_images

IMAGES = 5000
SEED = 20
SETTLED = {"ok", "not_an_image", "damaged_image", "too_many_pixels"}
#: of one small file, whatever it says of itself; a sound one of 50 megapixels takes two
LONGEST_S = 20.0


@pytest.mark.timeout(300)
def test_of_five_thousand_mutated_images_each_is_settled_in_bounded_time_and_memory() -> None:
    codes: Counter[str] = Counter()
    unsettled, slow = [], []
    with DecodingChild() as child:
        before = child.decode(sound_images()["png"])
        for name, data in mutated(IMAGES, SEED):
            settled = child.decode(data)
            codes[settled.code] += 1
            if settled.code not in SETTLED:
                unsettled.append(f"{name}: {settled.message}")
            if settled.cpu_s > LONGEST_S:
                slow.append(f"{name}: {settled.cpu_s:.1f} s")
        after = child.decode(sound_images()["png"])
    assert not unsettled
    assert not slow
    assert after.peak_bytes - before.peak_bytes < MEMORY_BYTES
    assert after.code == before.code == "ok"
    assert codes.total() == IMAGES
    # The changes are neither so small that all decode nor so large that none is looked at.
    assert min(codes[code] for code in SETTLED) > IMAGES // 100


def test_what_is_mutated_is_sound_before() -> None:
    with DecodingChild() as child:
        codes = {name: child.decode(data).code for name, data in sound_images().items()}
    assert codes == {
        name: "not_an_image" if name.startswith("tiff") else "ok" for name in sound_images()
    }


def test_the_same_seed_gives_the_same_files() -> None:
    assert list(mutated(50, SEED)) == list(mutated(50, SEED))
    assert list(mutated(50, SEED)) != list(mutated(50, SEED + 1))
