/** Are two photographs of the same person? `npm start -- photo.jpg other.jpg` */

import { readFile } from "node:fs/promises";
import { Facestream, FacestreamError } from "./facestream.js";

const [first, second] = process.argv.slice(2);
if (first === undefined || second === undefined) throw new Error("two photographs are compared");

const facestream = new Facestream(
  process.env.FACESTREAM_URL ?? "http://localhost:8000",
  process.env.API_KEY ?? "",
);

async function embedding(path: string): Promise<number[] | null> {
  try {
    const answer = await facestream.embed(new Blob([await readFile(path)]));
    console.log(`${path}: a face at ${answer.bbox.map(Math.round).join(", ")}`);
    return answer.embedding;
  } catch (error) {
    if (!(error instanceof FacestreamError)) throw error;
    if (error.code !== "no_face") throw error; // here is where other codes are told apart
    console.log(`${path}: nobody`);
    return null;
  }
}

const [a, b] = await Promise.all([embedding(first), embedding(second)]);
if (a !== null && b !== null) {
  const { similarity } = await facestream.compare(a, b);
  console.log(`similarity ${similarity.toFixed(3)}`);
}
