// What is drawn, for who does not see it, and for who wants the numbers.

import { make } from "./dom.js";
import { rows } from "./measured.js";

/** One column a face. */
export function table(faces) {
  const columns = faces.map((face) => rows(face));
  const names = new Map(columns.flatMap((column) => column.map(([group, name]) => [`${group}/${name}`, [group, name]])));
  const heads = faces.map((_, index) => make("th", { scope: "col" }, faces.length === 1 ? "Value" : `Face ${index + 1}`));
  const head = make("tr", {}, make("th", { scope: "col" }, "What"), ...heads);
  const body = [...names.values()].map(([group, name]) => {
    const values = columns.map((column) => column.find((row) => row[0] === group && row[1] === name)?.[2] ?? "");
    const title = make("th", { scope: "row" }, make("span", { class: "muted" }, `${group} `), name);
    return make("tr", {}, title, ...values.map((value) => make("td", {}, value)));
  });
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
}
