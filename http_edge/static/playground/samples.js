// Photographs that come with the service's own packages.

import { getJson } from "./api.js";
import { make } from "./dom.js";
import { Picture } from "./picture.js";

let listed = null;

/** Buttons in `group`; `use` is called with the promise of the picture of the one that is pressed. */
export async function showSamples(group, use) {
  listed ??= getJson(new URL("samples", document.baseURI).href);
  const samples = await listed;
  group.hidden = samples.length === 0;
  group.replaceChildren(make("span", { class: "muted" }, "or a sample"), ...samples.map((sample) => button(sample, use)));
}

function button({ name, shows, credit }, use) {
  const image = make("img", { src: `samples/${name}`, alt: "", width: 44, height: 44, loading: "lazy" });
  const element = make("button", { type: "button", class: "sample", "aria-label": `Sample: ${shows}`, title: `${shows} (${credit})` }, image);
  element.addEventListener("click", () => use(Picture.ofSample(name)));
  return element;
}
