// The API key: typed once, kept in this tab's session alone.

const NAME = "facestream-api-key";

const form = document.getElementById("key");
const field = document.getElementById("key-field");
const button = document.getElementById("key-button");
const state = document.getElementById("key-state");
const listeners = [];

/** No key was given, or the service does not know it. */
export class KeyWanted extends Error {}

/** The key; raises KeyWanted, and leads to the field, where there is none. */
export function key() {
  const known = sessionStorage.getItem(NAME);
  if (known === null) {
    refuse("wanted");
    throw new KeyWanted("The API key is wanted first: type it at the top of the page.");
  }
  return known;
}

/** The service does not know the key. */
export function refused() {
  sessionStorage.removeItem(NAME);
  refuse("not known to the service");
}

/** Call back whenever a key was typed. */
export function onKey(listener) {
  listeners.push(listener);
}

export function start() {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (sessionStorage.getItem(NAME) === null) take(field.value.trim());
    else forget();
  });
  show();
}

function take(typed) {
  if (typed === "") {
    refuse("wanted");
    return;
  }
  sessionStorage.setItem(NAME, typed);
  field.value = "";
  show();
  listeners.forEach((listener) => listener());
}

function forget() {
  sessionStorage.removeItem(NAME);
  show();
  field.focus();
}

function show() {
  const known = sessionStorage.getItem(NAME) !== null;
  form.classList.toggle("known", known);
  field.hidden = known;
  field.removeAttribute("aria-invalid");
  button.textContent = known ? "Forget" : "Use";
  button.setAttribute("aria-label", known ? "Forget the API key" : "Use this API key");
  state.textContent = known ? "kept in this tab" : "";
}

function refuse(why) {
  show();
  field.setAttribute("aria-invalid", "true");
  state.textContent = why;
  field.focus();
}
