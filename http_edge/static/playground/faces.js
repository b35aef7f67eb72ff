// Which of several faces is looked at: small pictures of each, chosen by pointer or arrow keys.

import { make } from "./dom.js";

const SIZE = 56;
const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

/** Buttons as one radio group. image: where the faces are cut from. */
export function showFaces(group, image, faces, chosen, choose) {
  const again = (index) => {
    choose(index);
    group.children[index].focus(); // it was made anew
  };
  group.hidden = faces.length < 2;
  group.replaceChildren(...faces.map((face, index) => button(image, face, index, index === chosen, again)));
}

export function start(group, choose) {
  group.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const buttons = [...group.children];
    if (step === undefined || buttons.length === 0) return;
    event.preventDefault();
    const next = (buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length;
    choose(next);
    group.children[next].focus();
  });
}

function button(image, face, index, isChosen, choose) {
  const attributes = { type: "button", role: "radio", "aria-checked": isChosen, tabindex: isChosen ? 0 : -1 };
  const shown = image.naturalWidth > 0 ? cut(image, face.bbox) : `${index + 1}`;
  const element = make("button", { ...attributes, class: "face", "aria-label": `Face ${index + 1}` }, shown);
  element.addEventListener("click", () => choose(index));
  return element;
}

function cut(image, [x1, y1, x2, y2]) {
  const scale = Math.min(window.devicePixelRatio || 1, 3);
  const canvas = make("canvas", { width: SIZE * scale, height: SIZE * scale, "aria-hidden": "true" });
  const side = Math.max(x2 - x1, y2 - y1) * 1.15;
  const [left, top] = [(x1 + x2 - side) / 2, (y1 + y2 - side) / 2];
  canvas.getContext("2d").drawImage(image, left, top, side, side, 0, 0, canvas.width, canvas.height);
  return canvas;
}
