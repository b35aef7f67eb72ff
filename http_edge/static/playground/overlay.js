// What is drawn on a photograph: thin boxes, landmarks, pose axes. In the image's pixels, so that it
// is crisp at every size; lines keep their width by `non-scaling-stroke`.

import { draw, make } from "./dom.js";
import { axes } from "./pose.js";

/** faces: of an answer. chosen: the number of one of them. shown: { landmarks: 0 | 5 | 68 | 106, axes }. */
export function drawFaces({ svg, labels, width, height }, faces, chosen, shown, choose) {
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const others = faces.map((_, index) => index).filter((index) => index !== chosen);
  const order = chosen < faces.length ? [...others, chosen] : others; // the chosen one lies on top
  svg.replaceChildren(...order.flatMap((index) => box(faces[index], index, index === chosen, choose)));
  labels.replaceChildren(...faces.map((face, index) => label(face, index, index === chosen, width, height)));
  if (chosen < faces.length) svg.append(...marks(faces[chosen], shown, svg.clientWidth / width));
}

/** Landmarks and axes of one face. zoom: pixels of the screen for one of the image. */
export function marks(face, shown, zoom) {
  const size = (face.bbox[2] - face.bbox[0]) * zoom;
  const places = face[`landmarks_${shown.landmarks}`] ?? [];
  const lines = shown.axes && face.pose ? poseLines(face, between(1.5, size / 45, 3)) : [];
  const dot = places.length > 5 ? between(1.6, size / 50, 3.4) : between(3, size / 16, 7);
  return [...points(places, dot), ...lines];
}

function box(face, index, isChosen, choose) {
  const [x1, y1, x2, y2] = face.bbox;
  const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  const line = draw("rect", { ...place, class: isChosen ? "box chosen" : "box", "data-face": index });
  line.addEventListener("click", () => choose(index));
  return [draw("rect", { ...place, class: "shade" }), line];
}

function label(face, index, isChosen, width, height) {
  const [x1, y1, x2] = face.bbox;
  const known = [face.age, face.gender].filter((value) => value !== null && value !== undefined);
  const text = isChosen && known.length ? known.join(", ") : `${index + 1}`;
  const element = make("span", { class: isChosen ? "label chosen" : "label" }, text);
  const towardsRight = (x1 + x2) / 2 > width * 0.6;
  element.classList.toggle("right", towardsRight);
  element.classList.toggle("below", y1 < height * 0.08);
  const edge = towardsRight ? (width - x2) / width : x1 / width;
  element.style[towardsRight ? "right" : "left"] = `${Math.max(0, edge * 100)}%`;
  element.style.top = `${Math.max(0, (y1 / height) * 100)}%`;
  return element;
}

/** Dots that keep their size: lines of no length with round ends. */
function points(places, size) {
  const path = places.map(([x, y]) => `M${x} ${y}h0`).join("");
  return path === "" ? [] : outlined("path", { d: path }, "dots", size);
}

function poseLines(face, size) {
  const [x1, y1, x2, y2] = face.bbox;
  const [x, y] = face.landmarks_5?.[2] ?? [(x1 + x2) / 2, (y1 + y2) / 2]; // the tip of the nose
  const length = (x2 - x1) * 0.55;
  return Object.entries(axes(face.pose)).flatMap(([name, [dx, dy]]) =>
    outlined("line", { x1: x, y1: y, x2: x + dx * length, y2: y + dy * length }, `axis ${name}`, size),
  );
}

/** Bright on dark: it is seen on snow and in shadow. size: pixels of the screen. */
function outlined(tag, place, kind, size) {
  const below = draw(tag, { ...place, class: `${kind} shade` });
  const above = draw(tag, { ...place, class: kind });
  below.style.strokeWidth = `${size + 2}px`;
  above.style.strokeWidth = `${size}px`;
  return [below, above];
}

function between(least, value, most) {
  return Math.min(most, Math.max(least, value));
}
