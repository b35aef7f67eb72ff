// From which similarity on two faces count as one person's: as measured, for the models at work.

import { getJson } from "./api.js";
import { make } from "./dom.js";

/** What an embedding depends on. */
const SAME = ["recognizer", "engine", "precision"];

/** The measurement for the recogniser that every worker runs now, as it runs; null where there is none,
 *  or they differ. Raises Failure. → { pack, measured, measuredPacks } */
export async function threshold() {
  const base = document.baseURI;
  const [health, known] = await Promise.all([
    getJson(new URL("api/v1/health", base).href),
    getJson(new URL("static/playground/thresholds.json", base).href),
  ]);
  const models = health.workers.map((worker) => worker.models).filter((model) => model !== null);
  const [first] = models;
  const alike = models.every((model) => SAME.every((name) => model[name] === first[name]));
  const found = first && alike ? known[first.recognizer] : undefined;
  const fits = found !== undefined && found.engine === first.engine && found.precision === first.precision;
  return {
    pack: first ? named(first) : health.model_pack,
    measured: fits ? found : null,
    measuredPacks: Object.values(known).map(named),
  };
}

function named({ pack, engine, precision }) {
  return `${pack} on ${engine} in ${precision}`;
}

/** Similarity, whether that is one person, and how often that errs. */
export function verdict(similarity, { pack, measured, measuredPacks }) {
  const same = measured !== null && similarity >= measured.threshold;
  const words = measured === null ? "How alike they are" : same ? "The same person" : "Different persons";
  const kind = measured === null ? "open" : same ? "same" : "different";
  const value = make("p", { class: "similarity" }, make("strong", {}, similarity.toFixed(3)), make("span", { class: "muted" }, "cosine similarity"));
  return make("div", { class: `card verdict ${kind}` }, make("div", { class: "row" }, make("h2", {}, words), value), scale(similarity, measured), reliability(pack, measured, measuredPacks));
}

function scale(similarity, measured) {
  const place = (value) => `${Math.min(1, Math.max(0, value)) * 100}%`;
  const marker = make("span", { class: "marker" });
  marker.style.left = place(similarity);
  const parts = [marker];
  if (measured !== null) {
    const limit = make("span", { class: "limit" });
    limit.style.left = place(measured.threshold);
    parts.push(limit);
  }
  return make("div", { class: "scale", "aria-hidden": "true" }, ...parts);
}

function reliability(pack, measured, measuredPacks) {
  if (measured === null) {
    const others = measuredPacks.length ? ` It was for ${measuredPacks.join(", ")}.` : "";
    return make("p", { class: "muted" }, `From which similarity on two faces are one person's was not measured for ${pack}.${others}`);
  }
  const { false_match: taken, false_non_match: missed } = measured;
  return make(
    "p",
    { class: "muted" },
    `Threshold ${measured.threshold}, measured on ${taken.of + missed.of} pairs of ${measured.photographs} with ${measured.pack}: ` +
      `${taken.wrong} of ${taken.of} pairs of different persons were taken for one ${interval(taken)}, ` +
      `${missed.wrong} of ${missed.of} of one person for two ${interval(missed)}. ` +
      "On other photographs it may err more often.",
  );
}

function interval({ interval_95: [low, high] }) {
  return `(95\u00a0%: ${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)}\u00a0%)`;
}
