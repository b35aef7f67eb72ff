// A photograph on its way: its bytes as they are sent, and what the browser can show of it.

/** `source`: the address of a sample; null for what is the visitor's own. */
export class Picture {
  constructor(blob, name, source = null) {
    this.blob = blob;
    this.name = name;
    this.source = source;
    this.type = blob.type || "image/jpeg";
    this.url = URL.createObjectURL(blob);
  }

  /** A sample of this service. */
  static async ofSample(name) {
    const source = new URL(`samples/${name}`, document.baseURI).href;
    const response = await fetch(source);
    if (!response.ok) throw new Error("The sample cannot be had");
    return new Picture(await response.blob(), name, source);
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
