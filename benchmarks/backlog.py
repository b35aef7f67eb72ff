"""A batch in the midst of a backlog: how a stream is measured with all at once.

A worker computes what lies in its partitions. Of a batch alone one is done before the other, which
shares its core with the broker and the client; then fewer than all compute, as at the beginning
none does. What a worker takes in at the beginning and holds until its turn comes was not taken in
while the batch was computed. A backlog of millions knows none of that.
"""

from __future__ import annotations

from collections.abc import Collection
from statistics import fmean

#: of a batch: copies before it, and behind it, so that no worker is done while it is measured
_BEFORE = 0.1
_BEHIND = 0.2
#: a worker tells a few results together: they are to be few of its share
_LEAST_SHARE = 16


def lengthened(images: int, workers: int, held: int) -> range:
    """Numbers of the images of a backlog: those from 0 to `images` are the batch, and each other
    is a copy of the one that is a batch away.

    Any of them that follow one another, and are as many as the batch, are its images. A batch that
    is too small for that is not lengthened. held: events that all workers together take in before
    their turn comes; so many lie behind the batch, or another batch.
    """
    if images < _LEAST_SHARE * workers:
        return range(images)
    behind = max(round(images * _BEHIND), min(held, images))
    return range(-round(images * _BEFORE), images + behind)


def seconds_of(images: int, sent_s: Collection[float]) -> float:
    """In which workers compute so many images while each has more to do.

    sent_s: of all images of a backlog, in any order, seconds from publishing to when the result was
    sent, in which the workers ran. The mean of the seconds from each of the first results to the
    one that is a batch later. Of a batch that was not lengthened, the seconds to its last result.
    """
    ascending = sorted(sent_s)
    if len(ascending) == images:
        return ascending[-1]
    before = round(images * _BEFORE)
    return fmean(ascending[images : images + before]) - fmean(ascending[:before])
