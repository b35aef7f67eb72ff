// Two photographs: how alike a face of each is, and whether that is one person.

import { Failure, postJson, postPicture } from "./api.js";
import * as curl from "./curl.js";
import { make } from "./dom.js";
import { onKey } from "./key.js";
import { Stage } from "./stage.js";
import { threshold, verdict } from "./threshold.js";

const shown = document.getElementById("verdict");
const request = document.getElementById("compare-request");
let running = new AbortController();

export function start() {
  const stages = [];
  for (const [id, name] of [["compare-a", "First photograph"], ["compare-b", "Second photograph"]]) {
    const stage = new Stage(document.getElementById(id), {
      name,
      ask: async (picture, signal) => (await postPicture("extract-embedding?max_faces=0", picture, signal)).faces,
      onChange: () => compare(stages),
    });
    stages.push(stage);
  }
  onKey(() => stages.filter((stage) => stage.wantsKey).forEach((stage) => stage.askAgain()));
  compare(stages);
  return stages;
}

async function compare(stages) {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  const [a, b] = stages.map((stage) => stage.face);
  if (stages.length < 2 || a === null || b === null) {
    shown.replaceChildren(make("p", { class: "muted hint" }, "Two photographs with a face each: how alike are they?"));
    request.replaceChildren();
    return;
  }
  const [first, second] = stages.map((stage) => ({ picture: stage.picture, index: stage.chosen }));
  curl.show(request, curl.comparison(first, second));
  try {
    const body = { embedding_a: a.embedding, embedding_b: b.embedding };
    const [{ similarity }, known] = await Promise.all([postJson("compare-faces", body, signal), threshold()]);
    if (!signal.aborted) shown.replaceChildren(verdict(similarity, known));
  } catch (error) {
    if (signal.aborted) return;
    if (!(error instanceof Failure)) throw error;
    shown.replaceChildren(make("p", { class: "problem" }, error.message));
  }
}
