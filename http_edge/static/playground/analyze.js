// One photograph and everything about its faces.

import { postPicture } from "./api.js";
import { cards } from "./attributes.js";
import { closeUp } from "./closeup.js";
import * as curl from "./curl.js";
import { make } from "./dom.js";
import { onKey } from "./key.js";
import { Stage } from "./stage.js";
import { table } from "./table.js";
import { count } from "./words.js";

const ROUTE = "analyze-face-advanced?max_faces=0";

const panel = document.getElementById("analyze");
const attributes = document.getElementById("attributes");
const said = document.getElementById("analyze-said");
const details = document.getElementById("analyze-table");
const request = document.getElementById("analyze-request");
const drawn = panel.querySelector(".drawn");

export function start() {
  const stage = new Stage(document.getElementById("analyze-stage"), {
    name: "Photograph",
    ask: async (picture, signal) => {
      curl.show(request, curl.analysis(picture, ROUTE));
      return (await postPicture(ROUTE, picture, signal)).faces;
    },
    onChange: show,
  });
  drawn.addEventListener("change", () => stage.draw(wanted()));
  stage.draw(wanted());
  onKey(() => stage.wantsKey && stage.askAgain());
  return stage;
}

function wanted() {
  return {
    landmarks: Number(panel.querySelector("[name=landmarks]:checked").value),
    axes: document.getElementById("axes").checked,
  };
}

function show(stage) {
  const { face, faces } = stage;
  drawn.hidden = face === null;
  details.hidden = face === null;
  said.textContent = face === null ? "" : `${count(faces.length, "face")} found. Face ${stage.chosen + 1} is shown.`;
  if (face === null) {
    attributes.replaceChildren(promise());
    return;
  }
  const picture = stage.size[0] > 0 ? closeUp(stage.picture, stage.size, face, stage.shown) : null;
  attributes.replaceChildren(...cards(face, picture));
  details.querySelector(".scrolls").replaceChildren(table(faces));
  offer(face);
}

/** Only the landmarks that this face has can be chosen. */
function offer(face) {
  for (const radio of panel.querySelectorAll("[name=landmarks]")) {
    radio.disabled = radio.value !== "0" && !face[`landmarks_${radio.value}`];
  }
  document.getElementById("axes").disabled = !face.pose;
}

function promise() {
  const seen = ["Boxes and landmarks", "Age and gender", "Emotion", "Pose", "Quality", "Skin tone"];
  const list = make("ul", {}, ...seen.map((name) => make("li", {}, name)));
  return make("div", { class: "card promise" }, make("h2", {}, "What will stand here"), list, make("p", { class: "muted" }, "What cannot be measured says so."));
}
