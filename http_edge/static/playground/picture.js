// A photograph on its way: its bytes as they are sent, and what the browser can show of it.

import { get } from "./api.js";

/** `source`: the address of a sample; null for what is the visitor's own. */
export class Picture {
  constructor(blob, name, source = null) {
    this.blob = blob;
    this.name = name;
    this.source = source;
    this.type = blob.type || "image/jpeg";
    this.url = URL.createObjectURL(blob);
  }

  /** A sample of this service. Raises Failure. */
  static async ofSample(name) {
    const source = new URL(`samples/${name}`, document.baseURI).href;
    return new Picture(await (await get(source)).blob(), name, source);
  }

  /** Of a drop, a clipboard or a file field; null where there is none. */
  static ofTransfer(files) {
    const [file] = files;
    return file === undefined ? null : new Picture(file, file.name || "photo");
  }

  release() {
    URL.revokeObjectURL(this.url);
  }
}
