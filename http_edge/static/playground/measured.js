// Everything that was measured of a face, as rows of a table: [group, name, value in words].

import { NOT_MEASURED, number, percent, turned, word } from "./words.js";

export function rows(face) {
  const { pose, quality, skin_tone: skin, expression, geometry, liveness } = face;
  return [
    ["Face", "Box", face.bbox.map((value) => value.toFixed(1)).join(", ")],
    ["Face", "Confidence", percent(face.confidence, 1)],
    ["Face", "Landmarks", landmarks(face)],
    ["Person", "Age", number(face.age, 0, " years")],
    ["Person", "Gender", word(face.gender)],
    ["Person", "Share of the two scores", percent(face.gender_score, 1)],
    ...emotions(expression),
    ["Pose", "Yaw", `${number(pose?.yaw, 1, "°")}${inWords(turned(pose?.yaw, "to its left", "to its right"))}`],
    ["Pose", "Pitch", `${number(pose?.pitch, 1, "°")}${inWords(turned(pose?.pitch, "up", "down"))}`],
    ["Pose", "Roll", `${number(pose?.roll, 1, "°")}${inWords(turned(pose?.roll, "to its left shoulder", "to its right shoulder"))}`],
    ["Quality", "Overall", number(quality?.overall)],
    ["Quality", "Sharpness", number(quality?.blur_score)],
    ["Quality", "Illumination", number(quality?.illumination)],
    ["Quality", "Frontal", number(quality?.frontal_alignment)],
    ["Quality", "In the frame", percent(quality?.in_frame)],
    ["Quality", "Size", number(quality?.face_size_px, 0, " px")],
    ["Skin", "Colour", word(skin?.hex)],
    ["Skin", "CIELAB", skin ? skin.dominant_color_lab.map((value) => value.toFixed(1)).join(", ") : NOT_MEASURED],
    ["Skin", "Individual typology angle", number(skin?.individual_typology_angle, 0, "°")],
    ["Shape", "Symmetry", number(face.symmetry_score)],
    ["Shape", "Width over height", number(geometry?.face_width_height_ratio)],
    ["Shape", "Eyes apart, over width", number(geometry?.eye_spacing_face_width)],
    ["Shape", "Jaw, over width", number(geometry?.jawline_width_face_width)],
    ["Shape", "Nose, over width", number(geometry?.nose_width_face_width)],
    ["Liveness", "Score", number(liveness?.score)],
  ];
}

function landmarks(face) {
  const known = [5, 68, 106].filter((size) => face[`landmarks_${size}`]);
  return known.length ? known.join(", ") : NOT_MEASURED;
}

function emotions(expression) {
  if (!expression) return [["Emotion", "Dominant", NOT_MEASURED]];
  const shares = Object.entries(expression.emotions).map(([name, share]) => ["Emotion", name, percent(share, 1)]);
  return [["Emotion", "Dominant", expression.dominant], ...shares];
}

function inWords(text) {
  return text === NOT_MEASURED ? "" : ` (${text})`;
}
