"""One face → its analysis. What the pack has no model for, and what cannot be measured, is null."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas import results
from stream.models.emotions import EMOTIONS
from stream.models.loading import FaceModels
from stream.models.protocols import EmotionModel, Floats, Image, Landmarker
from stream.numbers import numbers
from stream.vision.crop import crop, face_size_px, in_frame
from stream.vision.geometry import ratios
from stream.vision.landmarks import to_68
from stream.vision.pose import Head, fit_head, insightface_pose
from stream.vision.quality import blur_score, frontal_alignment, illumination, overall
from stream.vision.skin import individual_typology_angle, skin_tone
from stream.vision.symmetry import symmetry


class SeenFace(NamedTuple):
    """A face, and the pixels that it is measured in."""

    image: Image
    """(H, W, 3) uint8 BGR."""
    reduced_by: int
    """So many pixels of the whole image, along a side, are one of `image`."""
    box: Floats
    """(4,) px of `image`."""
    points: Floats | None
    """(5, 2) px of `image`."""


def analyze_face(models: FaceModels, seen: SeenFace) -> results.Analysis:
    """What is returned is in pixels of the whole image. Runs every model that is there but the
    detector and the recogniser."""
    image, box = seen.image, seen.box
    face = crop(image, box)
    points_106 = _located(models.landmarks_106, seen)
    points_3d = _located(models.landmarks_3d, seen)
    points_68 = _points_68(points_106, points_3d)
    genderage = models.genderage
    attributes = None if genderage is None else genderage.estimate(image, box, points_106)
    in_depth = points_3d is not None and models.mean_shape_68 is not None
    head = None if points_68 is None or in_depth else fit_head(points_68)
    pose = _pose(head, points_3d, models.mean_shape_68)
    return results.Analysis(
        age=None if attributes is None else min(max(attributes.age_years, 0), 150),
        gender=None if attributes is None else attributes.gender,
        gender_score=None if attributes is None else attributes.gender_score,
        landmarks_68=None if points_68 is None else numbers(points_68 * seen.reduced_by),
        landmarks_106=None if points_106 is None else numbers(points_106 * seen.reduced_by),
        pose=pose,
        quality=None if face is None else _quality(seen, face, pose),
        symmetry_score=_symmetry(points_68 if points_3d is None else points_3d, pose, head),
        skin_tone=None if points_68 is None else _skin_tone(image, points_68),
        expression=None if face is None else _expression(models.emotion, face),
        geometry=None if points_68 is None else _geometry(points_68),
        liveness=_liveness(models, image, seen.points),
    )


def _located(model: Landmarker | None, seen: SeenFace) -> Floats | None:
    if model is None:
        return None
    points = model.locate(seen.image, seen.box, seen.points)
    return points if points is not None and np.isfinite(points).all() else None


def _points_68(points_106: Floats | None, points_3d: Floats | None) -> Floats | None:
    """(68, 2): of the model made for them where the pack has it, else picked from the 106."""
    if points_3d is not None:
        return np.ascontiguousarray(points_3d[:, :2])
    return None if points_106 is None else to_68(points_106)


def _pose(
    head: Head | None, points_3d: Floats | None, mean_shape: NDArray[np.float64] | None
) -> results.Pose | None:
    """InsightFace's own where the pack has the model for it."""
    angles = None if head is None else head.angles
    if points_3d is not None and mean_shape is not None:
        angles = insightface_pose(points_3d, mean_shape)
    return None if angles is None else results.Pose(**angles._asdict())


def _symmetry(points: Floats | None, pose: results.Pose | None, head: Head | None) -> float | None:
    return None if points is None or pose is None else symmetry(points, pose.yaw, head)


def _quality(seen: SeenFace, face: Image, pose: results.Pose | None) -> results.Quality:
    blur, light = blur_score(face), illumination(face)
    frontal = None if pose is None else frontal_alignment(pose.yaw, pose.pitch)
    inside = in_frame(seen.box, *seen.image.shape[:2])
    return results.Quality(
        blur_score=blur,
        illumination=light,
        overall=overall(blur, light, frontal, inside),
        face_size_px=face_size_px(seen.box * seen.reduced_by),
        frontal_alignment=frontal,
        in_frame=inside,
    )


def _skin_tone(image: Image, points_68: Floats) -> results.SkinTone | None:
    skin = skin_tone(image, points_68)
    if skin is None:
        return None
    return results.SkinTone(
        dominant_color_lab=skin.lab,
        hex=skin.hex,
        individual_typology_angle=individual_typology_angle(skin.lab),
    )


def _expression(model: EmotionModel | None, face: Image) -> results.Expression | None:
    if model is None:
        return None
    probabilities = numbers(model.emotions(face))
    emotions = dict(zip(EMOTIONS, probabilities, strict=True))
    dominant = max(EMOTIONS, key=emotions.__getitem__)
    return results.Expression(
        dominant=dominant,
        confidence=emotions[dominant],
        emotions=emotions,
        engine=model.engine,
    )


def _liveness(models: FaceModels, image: Image, points: Floats | None) -> results.Liveness | None:
    if models.liveness is None or models.info.liveness is None:
        return None
    score = None if points is None else models.liveness.score(image, points)
    return results.Liveness(score=score, model=models.info.liveness)


def _geometry(points_68: Floats) -> results.Geometry | None:
    measured = ratios(points_68)
    if measured is None:
        return None
    return results.Geometry(
        face_width_height_ratio=measured.face_width_height,
        eye_spacing_face_width=measured.eye_spacing_face_width,
        jawline_width_face_width=measured.jawline_width_face_width,
        nose_width_face_width=measured.nose_width_face_width,
    )
