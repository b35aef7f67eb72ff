// Where a photograph is given and shown: drop, paste, file, camera or sample in, faces drawn on it.

import { Failure } from "./api.js";
import * as camera from "./camera.js";
import { fromTemplate, say } from "./dom.js";
import * as faceButtons from "./faces.js";
import { KeyWanted } from "./key.js";
import { drawFaces } from "./overlay.js";
import { Picture } from "./picture.js";
import { showSamples } from "./samples.js";
import { count } from "./words.js";

export class Stage {
  /** name: for who does not see it. ask(picture, signal) → faces. onChange(stage): faces or choice are others. */
  constructor(root, { name, ask, onChange }) {
    this.root = fromTemplate("stage-template", root);
    this.root.classList.add("stage");
    this.name = name;
    this.ask = ask;
    this.onChange = onChange;
    this.picture = null;
    this.faces = [];
    this.chosen = 0;
    this.shown = { landmarks: 0, axes: false };
    this.wantsKey = false;
    this.running = new AbortController();
    this.#listen();
  }

  get face() {
    return this.faces[this.chosen] ?? null;
  }

  /** Width and height of the upright image; zeros where the browser cannot show it. */
  get size() {
    const { naturalWidth, naturalHeight } = this.#part("img");
    return [naturalWidth, naturalHeight];
  }

  /** Show a photograph and ask what is on it. given: a Picture, null, or the promise of one. */
  async use(given) {
    let picture = null;
    try {
      picture = await given;
    } catch (error) {
      this.#fail(error);
    }
    if (picture === null) return;
    this.picture?.release();
    this.picture = picture;
    await this.#show();
    await this.askAgain();
  }

  async askAgain() {
    this.running.abort();
    this.running = new AbortController();
    const { signal } = this.running;
    this.#found([]);
    say(this.#part(".problem"), "");
    this.#part(".busy").textContent = "Looking …";
    try {
      const faces = await this.ask(this.picture, signal);
      if (signal.aborted) return;
      this.wantsKey = false;
      this.#part(".busy").textContent = "";
      this.#found(faces);
    } catch (error) {
      if (signal.aborted) return;
      this.#part(".busy").textContent = "";
      this.#fail(error);
    }
  }

  /** What is drawn: { landmarks: 0 | 5 | 68 | 106, axes }. */
  draw(shown) {
    this.shown = shown;
    this.#drawFaces();
    this.onChange(this);
  }

  choose(index) {
    this.chosen = index;
    this.#drawFaces();
    this.onChange(this);
  }

  #listen() {
    const drop = this.#part(".drop");
    drop.addEventListener("dragover", (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.addEventListener("drop", (event) => {
      event.preventDefault();
      drop.classList.remove("over");
      this.use(Picture.ofTransfer(event.dataTransfer.files));
    });
    const file = this.#part("input[type=file]");
    file.setAttribute("aria-label", `${this.name}: choose a file`);
    file.addEventListener("change", () => {
      this.use(Picture.ofTransfer(file.files));
      file.value = ""; // the same file again is a change then
    });
    const take = this.#part(".use-camera");
    take.setAttribute("aria-label", `${this.name}: use the camera`);
    take.addEventListener("click", () => camera.open((picture) => this.use(picture)));
    const samples = this.#part(".samples");
    samples.setAttribute("aria-label", `${this.name}: samples`);
    showSamples(samples, (picture) => this.use(picture)).catch(() => {
      samples.hidden = true; // the page is of use without them
    });
    const faces = this.#part(".faces");
    faces.setAttribute("aria-label", `${this.name}: which face`);
    faceButtons.start(faces, (index) => this.choose(index));
  }

  async #show() {
    const image = this.#part("img");
    image.src = this.picture.url;
    image.alt = `${this.name}: ${this.picture.name}`;
    try {
      await image.decode();
      this.#part(".frame").hidden = false;
      this.#part(".empty").hidden = true;
    } catch {
      // What the browser does not know may be known to the service.
      this.#part(".frame").hidden = true;
      this.#part(".empty").hidden = false;
    }
  }

  #found(faces) {
    this.faces = faces;
    this.chosen = 0;
    this.#drawFaces();
    if (faces.length) this.#part("img").alt = `${this.name}: ${this.picture.name}, ${count(faces.length, "face")}`;
    this.onChange(this);
  }

  #fail(error) {
    this.wantsKey = error instanceof KeyWanted;
    if (!(error instanceof Failure || error instanceof KeyWanted)) throw error;
    say(this.#part(".problem"), error.message);
  }

  #drawFaces() {
    const [width, height] = this.size;
    const place = { svg: this.#part(".overlay"), labels: this.#part(".labels"), width, height };
    const choose = (index) => this.choose(index);
    if (width > 0) drawFaces(place, this.faces, this.chosen, this.shown, choose);
    faceButtons.showFaces(this.#part(".faces"), this.#part("img"), this.faces, this.chosen, choose);
  }

  #part(selector) {
    return this.root.querySelector(selector);
  }
}
