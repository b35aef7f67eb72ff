// One photograph of the camera.

import { say } from "./dom.js";
import { Picture } from "./picture.js";

const dialog = document.getElementById("camera");
const video = dialog.querySelector("video");
const problem = dialog.querySelector(".problem");
const take = dialog.querySelector(".take");
let taken = () => {};

export function start() {
  take.addEventListener("click", shoot);
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
}

/** Open the camera; `then` is called with the photograph, if one is taken. */
export async function open(then) {
  taken = then;
  say(problem, "");
  take.disabled = true;
  dialog.showModal();
  if (navigator.mediaDevices === undefined) {
    say(problem, "Browsers give the camera to pages over https or at localhost alone.");
    return;
  }
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: { ideal: 1280 } } });
    if (!dialog.open) {
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    video.srcObject = stream;
    await video.play();
    take.disabled = false;
    take.focus();
  } catch (error) {
    say(problem, error.name === "NotAllowedError" ? "The camera was not allowed." : "No camera can be used.");
  }
}

function shoot() {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob(
    (blob) => {
      dialog.close();
      taken(new Picture(blob, "camera.jpg"));
    },
    "image/jpeg",
    0.92,
  );
}
