"""What comes out: results, and the faces in them. What was not measured is `null`."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from schemas.topics import Operation

Status = Literal["ok", "no_face", "failed"]
Gender = Literal["male", "female"]
EmotionEngine = Literal["onnx", "tensorflow"]
Engine = Literal["onnxruntime", "onnxruntime-cuda", "onnxruntime-tensorrt", "openvino"]
Precision = Literal["fp32", "bf16"]
Emotion = Literal["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Unit = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class Point(NamedTuple):
    """Pixels of the upright image, from its top left corner."""

    x: Finite
    y: Finite


class Box(NamedTuple):
    """Pixels of the upright image: left, top, right, bottom. May reach beyond its edges."""

    x1: Finite
    y1: Finite
    x2: Finite
    y2: Finite


Points5 = Annotated[list[Point], Field(min_length=5, max_length=5)]
Points68 = Annotated[list[Point], Field(min_length=68, max_length=68)]
Points106 = Annotated[list[Point], Field(min_length=106, max_length=106)]
Embedding = Annotated[list[Finite], Field(min_length=512, max_length=512)]


class _Out(BaseModel):
    """Strict where it is made; newer fields are ignored where it is read."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Pose(_Out):
    """Head pose in degrees."""

    yaw: Finite = Field(description="positive: the face turns to its own left")
    pitch: Finite = Field(description="positive: the face looks up")
    roll: Finite = Field(description="positive: the head tilts to its own left shoulder")


class Quality(_Out):
    """How well the face can be seen. What hides a part of it, such as a hand, is not measured."""

    blur_score: Unit | None = Field(
        description="0 blurred, 1 sharp; a sharp face has about 0.5. One minus the blur metric of "
        "Crete et al., at the area of 112 × 112 px"
    )
    illumination: Unit | None = Field(description="0 dark, burnt out or flat, 1 well lit")
    overall: Unit | None = Field(
        description="geometric mean of blur_score, illumination, frontal_alignment and in_frame, "
        "of those that were measured"
    )
    face_size_px: Annotated[Finite, Field(gt=0)] | None = Field(
        description="the shorter side of `bbox`, px"
    )
    frontal_alignment: Unit | None = Field(
        description="1 faces the camera, 0 is a profile: the squared cosine of the angle between, "
        "from yaw and pitch",
    )
    in_frame: Unit | None = Field(
        description="the share of the area of `bbox` that lies in the image"
    )


class SkinTone(_Out):
    """The colour of cheeks and forehead in this light, by this camera."""

    dominant_color_lab: tuple[Finite, Finite, Finite] = Field(
        description="CIELAB, D65: L in [0, 100], a and b in [-128, 127]"
    )
    hex: str = Field(pattern="^#[0-9a-f]{6}$", description="the same colour in sRGB")
    individual_typology_angle: Annotated[Finite, Field(gt=-90, lt=90)] | None = Field(
        description="degrees; the lighter the skin, the larger (Chardon et al., 1991). `null` "
        "where b is below 1: a grey photograph, blue light",
    )


class Expression(_Out):
    """The emotion that the face shows."""

    dominant: Emotion = Field(description="the emotion with the highest probability")
    confidence: Unit = Field(description="the dominant emotion's probability")
    emotions: dict[Emotion, Unit] = Field(description="probabilities; they sum to 1")
    engine: EmotionEngine = Field(description="what computed them; the weights are the same")


class Liveness(_Out):
    """How live a face looks: reported, and nothing is refused for it."""

    score: Unit | None = Field(
        description="the model's probability that the face is live and no picture of one; `null` "
        "where the image shows too little around the face, or no face that can be aligned"
    )
    model: str = Field(description="file stem, `@`, first 8 hex digits of the file's SHA-256")


class Geometry(_Out):
    """Ratios of distances between the 68 landmarks, in the image's plane."""

    face_width_height_ratio: Finite = Field(
        description="between the ends of the jaw line, over from the brows to the chin"
    )
    eye_spacing_face_width: Finite = Field(
        description="between the eyes' centres, over the face's width"
    )
    jawline_width_face_width: Finite = Field(
        description="between the angles of the jaw, over the face's width"
    )
    nose_width_face_width: Finite = Field(
        description="between the outer ends of the nostrils, over the face's width"
    )


class Analysis(_Out):
    """Attributes of a face; `null` where it was not measured."""

    age: Annotated[int, Field(ge=0, le=150)] | None = Field(description="years")
    gender: Gender | None = Field(description="the likelier of the two, by genderage")
    gender_score: Annotated[float, Field(ge=0.5, le=1, allow_inf_nan=False)] | None = Field(
        description="of the network's two scores the share of `gender`, by softmax: no calibrated "
        "probability"
    )
    landmarks_68: Points68 | None = Field(description="pixels, in iBUG's order")
    landmarks_106: Points106 | None = Field(
        description="pixels, in the order of InsightFace's 2d106det"
    )
    pose: Pose | None
    quality: Quality | None
    symmetry_score: Unit | None = Field(
        description="1: the face equals its mirror image; `null` for a face that is turned aside "
        "by more than 25°"
    )
    skin_tone: SkinTone | None
    expression: Expression | None
    geometry: Geometry | None
    liveness: Liveness | None = Field(description="`null` unless LIVENESS is `observe`")


class Face(_Out):
    bbox: Box = Field(
        description="x1, y1, x2, y2: pixels of the upright image; may reach beyond its edges"
    )
    confidence: Unit = Field(description="the detector's score")
    landmarks_5: Points5 | None = Field(
        description="x, y in pixels: left eye, right eye, nose, left and right corner of the "
        "mouth, as seen"
    )
    embedding: Embedding | None = Field(
        default=None, description="as the model gives it, not normalised; `null` after `detect`"
    )
    embedding_norm: Finite | None = Field(
        default=None, description="the embedding's Euclidean length"
    )
    analysis: Analysis | None = Field(default=None, description="`null` unless `analyze`")


class ImageInfo(_Out):
    """What is known of the image: a field is `null` where the event did not come so far."""

    uri: str | None = Field(description="without credentials and query")
    sha256: str | None = Field(description="of its bytes as they were fetched, hexadecimal")
    width: int | None = Field(description="pixels, upright")
    height: int | None = Field(description="pixels, upright")


class ModelInfo(_Out):
    """What computed it: file stem, `@`, first 8 hex digits of the file's SHA-256; and on what."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    pack: str = Field(description="the pack's name, without a hash")
    detector: str = Field(description="of boxes and `landmarks_5`")
    recognizer: str | None = Field(default=None, description="of embeddings")
    landmarks: str | None = Field(default=None, description="of `landmarks_106`")
    landmarks_3d: str | None = Field(default=None, description="of 68 landmarks in space")
    genderage: str | None = Field(default=None, description="of age and gender")
    emotion: str | None = Field(default=None, description="of `expression`")
    liveness: str | None = Field(default=None, description="of `liveness`")
    engine: Engine = Field(
        default="onnxruntime",
        description="what the pack's models ran on. Emotions and liveness are computed by ONNX "
        "Runtime on the processor, but for what `expression.engine` says",
    )
    precision: Precision = Field(
        default="fp32", description="that the engine computed the pack's models in"
    )


class ErrorInfo(_Out):
    """Why it failed."""

    code: str = Field(examples=["image_not_found"], description="for programs")
    message: str = Field(description="for people; holds no credentials and no query strings")


class Result(_Out):
    """What became of a request: exactly one for each."""

    id: str = Field(
        description="uuid5 of request id, operation, model versions and error code: "
        "the same request processed twice gives the same id"
    )
    request_id: str = Field(description="the request's `id`, or what stands in its place")
    operation: Operation | None = Field(description="`null` where the request named none")
    status: Status = Field(description="no_face: computed, and there is none")
    error: ErrorInfo | None = Field(description="`null` unless `status` is `failed`")
    image: ImageInfo
    faces: list[Face] = Field(description="the most prominent first")
    model: ModelInfo | None = Field(
        description="what computed it: file stem, `@`, first 8 hex digits of the file's SHA-256; "
        "`null` where the bytes were no request"
    )
    timings_ms: dict[str, Finite] = Field(
        description="milliseconds by stage (queue, fetch, decode, detect, embed, analyze); only "
        "those that ran"
    )
    metadata: dict[str, JsonValue] = Field(default_factory=dict, description="the request's")


class WorkerStatus(_Out):
    """A heartbeat on `face.workers`."""

    id: str = Field(description="the same when the process is started again")
    host: str = Field(description="its host's name")
    pid: int | None = Field(description="of its process; `null` while there is none")
    state: Literal["starting", "running", "stopping", "stopped", "failed"] = Field(
        description="failed: it died, and its supervisor starts it again"
    )
    partitions: dict[str, list[int]] = Field(description="held, by topic")
    models: ModelInfo | None = Field(description="`null` until they are loaded")
    in_flight: int = Field(description="events in work")
    settled: int = Field(description="events since the start")
    replies_failed: int = Field(description="replies that could not be sent, since the start")
    progress_at_ms: int | None = Field(description="epoch milliseconds of the last progress")
    at_ms: int = Field(description="epoch milliseconds of this heartbeat")
    started_at_ms: int = Field(description="epoch milliseconds of the process's start")
    message: str | None = Field(default=None, description="why it failed")
