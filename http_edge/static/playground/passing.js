// A result that flows by, as an entry of the list.

import { draw, make } from "./dom.js";
import { count, number } from "./words.js";

const MOST_FACES_IN_WORDS = 4;

export function entry(result) {
  const at = new Date(result.at_ms);
  const time = make("time", { datetime: at.toISOString() }, at.toLocaleTimeString([], { hour12: false }));
  const head = make("p", { class: "row" }, make("strong", {}, title(result)), make("span", { class: "muted" }, time));
  const faces = result.faces.slice(0, MOST_FACES_IN_WORDS).map((face) => make("li", {}, swatch(face), inWords(face)));
  const more = result.faces_found - faces.length;
  if (more > 0) faces.push(make("li", { class: "muted" }, `and ${more} more`));
  const text = make("div", { class: "text" }, head, make("ul", { class: "chips" }, ...faces), make("p", { class: "muted small" }, times(result)));
  return make("li", { class: "card passing", "data-id": result.id }, sketch(result), text);
}

function title(result) {
  if (result.status === "failed") return `Failed: ${(result.error_code ?? "error").replaceAll("_", " ")}`;
  return `${count(result.faces_found, "face")}, ${result.operation ?? "no operation"}`;
}

/** The image's outline with its boxes. */
function sketch({ width, height, faces }) {
  if (width === null || height === null) return make("div", { class: "sketch none", "aria-hidden": "true" });
  const boxes = faces.map(({ bbox: [x1, y1, x2, y2] }) => draw("rect", { class: "face-box", x: x1, y: y1, width: x2 - x1, height: y2 - y1 }));
  const frame = draw("rect", { class: "image", x: 0, y: 0, width, height });
  return draw("svg", { class: "sketch", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" }, frame, ...boxes);
}

function swatch(face) {
  if (!face.skin_tone) return null;
  const element = make("span", { class: "dot", "aria-hidden": "true" });
  element.style.backgroundColor = face.skin_tone.hex;
  return element;
}

function inWords(face) {
  const known = [face.age, face.gender, face.expression?.dominant].filter((value) => value !== null && value !== undefined);
  return known.length ? known.join(", ") : `confidence ${number(face.confidence)}`;
}

function times(result) {
  const stages = Object.entries(result.timings_ms).map(([stage, ms]) => `${stage} ${ms.toFixed(0)}`);
  return [...(stages.length ? [`${stages.join(" · ")} ms`] : []), `#${result.id}`].join(" · ");
}
