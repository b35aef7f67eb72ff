// What was measured of one face, as cards.

import { make } from "./dom.js";
import { NOT_MEASURED, number, percent, turned, word } from "./words.js";

const QUALITY = [
  ["Sharp", "blur_score"],
  ["Well lit", "illumination"],
  ["Frontal", "frontal_alignment"],
  ["In frame", "in_frame"],
];

/** picture: of the face by itself, to stand beside; null where there is none. */
export function cards(face, picture) {
  const age = fact("Age", number(face.age, 0), face.age === null ? "" : "years");
  const gender = fact("Gender", word(face.gender), face.gender_score === null ? "" : `score ${number(face.gender_score)}`);
  return [
    make("div", { class: "person card" }, picture, make("div", { class: "facts" }, age, gender)),
    card("Emotion", face.expression && word(face.expression.dominant), emotions(face.expression)),
    card("Pose", null, pose(face.pose)),
    card("Quality", face.quality && number(face.quality.overall), quality(face.quality)),
    card("Skin tone", null, skin(face.skin_tone)),
  ];
}

function fact(name, value, more) {
  const big = make("span", { class: value === NOT_MEASURED ? "value missing" : "value" }, value);
  return make("div", { class: "fact" }, make("h2", {}, name), make("p", {}, big, " ", make("span", { class: "muted" }, more)));
}

function card(title, aside, content) {
  const head = make("div", { class: "row" }, make("h2", {}, title), aside ? make("span", { class: "aside" }, aside) : null);
  return make("section", { class: "card", "aria-label": title }, head, content ?? make("p", { class: "missing" }, NOT_MEASURED));
}

function emotions(expression) {
  if (!expression) return null;
  const falling = Object.entries(expression.emotions).sort(([, a], [, b]) => b - a);
  return make("ul", { class: "bars" }, ...falling.map(([name, share]) => bar(name, share, percent(share))));
}

function quality(measured) {
  if (!measured) return null;
  const bars = QUALITY.map(([name, field]) => bar(name, measured[field], number(measured[field])));
  const size = make("p", { class: "muted" }, `Face size ${number(measured.face_size_px, 0, " px")}`);
  return make("div", {}, make("ul", { class: "bars" }, ...bars), size);
}

function bar(name, share, text) {
  const fill = make("span", { class: "fill" });
  fill.style.width = `${(share ?? 0) * 100}%`;
  const track = make("span", { class: share === null ? "track none" : "track", "aria-hidden": "true" }, fill);
  return make("li", {}, make("span", { class: "name" }, name), track, make("span", { class: "number" }, text));
}

/** Each angle in the colour of the axis that it turns about. */
function pose(angles) {
  if (!angles) return null;
  return make(
    "dl",
    { class: "pose" },
    ...angle("up", "Turned", turned(angles.yaw, "to its left", "to its right"), angles.yaw),
    ...angle("left", "Looks", turned(angles.pitch, "up", "down"), angles.pitch),
    ...angle("out", "Tilted", turned(angles.roll, "to its left", "to its right"), angles.roll),
  );
}

function angle(axis, name, words, degrees) {
  const exact = make("span", { class: "muted" }, ` ${number(degrees, 1, "°")}`);
  return [make("dt", { class: axis }, name), make("dd", {}, words, exact)];
}

function skin(tone) {
  if (!tone) return null;
  const swatch = make("span", { class: "swatch", "aria-hidden": "true" });
  swatch.style.backgroundColor = tone.hex;
  const lab = tone.dominant_color_lab.map((value) => value.toFixed(0)).join(", ");
  const angleText = `typology angle ${number(tone.individual_typology_angle, 0, "°")}`;
  const texts = make("p", {}, make("strong", {}, tone.hex), make("span", { class: "muted" }, ` CIELAB ${lab}; ${angleText}. In this light, by this camera.`));
  return make("div", { class: "skin" }, swatch, texts);
}
