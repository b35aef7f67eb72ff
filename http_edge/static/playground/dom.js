// Elements without markup: what comes from outside only ever becomes text.

const SVG = "http://www.w3.org/2000/svg";

/** make("p", { class: "muted" }, "text", child, …): attributes whose value is null are left out. */
export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for a part of an SVG picture. */
export function draw(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

/** Show a text where it is one, and nothing where it is empty. */
export function say(element, text) {
  element.textContent = text;
  element.hidden = text === "";
}

/** A copy of a <template>, in an element. */
export function fromTemplate(id, into) {
  into.append(document.getElementById(id).content.cloneNode(true));
  return into;
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}
