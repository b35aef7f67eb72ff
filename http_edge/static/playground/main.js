// The page: its three panels, and what is pasted anywhere on it.

import * as analyze from "./analyze.js";
import * as camera from "./camera.js";
import * as compare from "./compare.js";
import * as key from "./key.js";
import * as live from "./live.js";
import { Picture } from "./picture.js";
import * as tabs from "./tabs.js";

key.start();
camera.start();
const analyzing = analyze.start();
const comparing = compare.start();
live.start();
tabs.start((name) => name !== "live" && live.stop());

document.addEventListener("paste", (event) => {
  const images = [...event.clipboardData.files].filter((file) => file.type.startsWith("image/"));
  if (images.length === 0) return; // a text, for the key's field
  event.preventDefault();
  const empty = comparing.find((stage) => stage.picture === null) ?? comparing[1];
  const stage = tabs.opened() === "compare" ? empty : analyzing;
  stage.use(Picture.ofTransfer(images));
});

// A photograph that misses its place must not replace the page.
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
