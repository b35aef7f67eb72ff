// Results as they flow by.

import { Failure, stream } from "./api.js";
import * as curl from "./curl.js";
import { say } from "./dom.js";
import { events } from "./events.js";
import { KeyWanted, onKey } from "./key.js";
import { entry } from "./passing.js";
import { count } from "./words.js";

const MOST_SHOWN = 40;
const AGAIN_MS = 3000;

const button = document.getElementById("follow");
const state = document.getElementById("live-state");
const counted = document.getElementById("live-count");
const problem = document.getElementById("live-problem");
const list = document.getElementById("live-results");

let following = null;
let wantsKey = false;
let seen = 0;
let missed = 0;

export function start() {
  curl.show(document.getElementById("live-request"), curl.live());
  button.addEventListener("click", () => (following === null ? follow() : stop()));
  onKey(() => wantsKey && follow());
}

/** A panel that nobody sees follows nothing. */
export function stop() {
  following?.abort();
  following = null;
  button.textContent = "Follow";
  if (seen > 0) state.textContent = "Stopped.";
}

async function follow() {
  following = new AbortController();
  const { signal } = following;
  button.textContent = "Stop";
  say(problem, "");
  wantsKey = false;
  while (!signal.aborted) {
    try {
      state.textContent = "Connecting …";
      for await (const [name, data] of events(await stream("live", signal))) take(name, data);
      if (signal.aborted) return;
      state.textContent = "The service ended it; trying again …";
    } catch (error) {
      if (signal.aborted) return;
      const foreseen = error instanceof Failure || error instanceof KeyWanted;
      if (foreseen) say(problem, error.message);
      wantsKey = error instanceof KeyWanted;
      if (foreseen) {
        stop();
        state.textContent = "Not following.";
        return;
      }
      state.textContent = "The connection was lost; trying again …";
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function take(name, data) {
  if (name === "state") state.textContent = data.following ? "Following: what is published from now on stands below." : "Waiting for Kafka …";
  if (name === "missed") missed += data.results;
  if (name === "result") {
    seen += 1;
    list.prepend(entry(data));
    if (list.children.length > MOST_SHOWN) list.lastElementChild.remove();
  }
  counted.textContent = `${count(seen, "result")}${missed ? `, ${missed} more passed too fast to be shown` : ""}`;
}
