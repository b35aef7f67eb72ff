// The requests that were made, as commands for a shell; the key stands in $API_KEY.

import { address } from "./api.js";
import { make } from "./dom.js";

const KEY = '-H "Authorization: Bearer $API_KEY"';

/** A text as one word of a shell. */
export function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** An analysis of a photograph. */
export function analysis(picture, route) {
  const sent = `-H ${quoted(`Content-Type: ${picture.type}`)} --data-binary ${quoted(`@${path(picture)}`)}`;
  return `${fetched([picture])}curl -s ${KEY} \\\n  ${sent} \\\n  ${quoted(address(route))}`;
}

/** Two embeddings and how alike they are. `first`, `second`: { picture, number of its face }. */
export function comparison(first, second) {
  const embedding = [
    "embedding() {",
    `  curl -s ${KEY} -H "Content-Type: $2" --data-binary "@$1" \\`,
    `    ${quoted(address("extract-embedding?max_faces=0"))} | jq ".faces[$3].embedding"`,
    "}",
  ].join("\n");
  const call = ({ picture, index }) =>
    `"$(embedding ${quoted(path(picture))} ${quoted(picture.type)} ${index})"`;
  const both = `printf '{"embedding_a": %s, "embedding_b": %s}' \\\n  ${call(first)} \\\n  ${call(second)} |`;
  const compare = `  curl -s ${KEY} --json @- ${quoted(address("compare-faces"))}`;
  return `${fetched([first.picture, second.picture])}${embedding}\n${both}\n${compare}`;
}

/** Following live. */
export function live() {
  return `curl -sN ${KEY} ${quoted(address("live"))}`;
}

/** Show a command with a button that copies it. */
export function show(into, command) {
  const button = make("button", { type: "button", class: "quiet copy" }, "Copy");
  const said = make("span", { role: "status", class: "visually-hidden" });
  const code = make("pre", { tabindex: "0", "aria-label": "The request as a command" }, make("code", {}, command));
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // over plain http there is no clipboard
      button.textContent = "Selected";
    }
    said.textContent = `The command is ${button.textContent.toLowerCase()}`;
  });
  const head = make("div", { class: "row" }, make("h2", {}, "The same in a shell"), button, said);
  into.replaceChildren(make("div", { class: "card command" }, head, code));
}

function path(picture) {
  return picture.name.startsWith("-") ? `./${picture.name}` : picture.name;
}

function fetched(pictures) {
  const urls = new Set(pictures.map((picture) => picture.source).filter((source) => source !== null));
  const names = new Map(pictures.map((picture) => [picture.source, picture.name]));
  return [...urls].map((url) => `curl -s -o ${quoted(names.get(url))} ${quoted(url)}\n`).join("");
}
