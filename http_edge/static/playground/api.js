// The API as this page uses it. What goes wrong is said in words.

import { KeyWanted, key, refused } from "./key.js";

/** An answer that is an error; its message is for people. */
export class Failure extends Error {}

/** The address of a route, for fetch and for a command line. */
export function address(route) {
  return new URL(`api/v1/${route}`, document.baseURI).href;
}

/** POST a photograph as the body itself → the answer's JSON. Raises Failure, KeyWanted. */
export function postPicture(route, picture, signal) {
  return answered(route, { method: "POST", body: picture.blob, headers: { "Content-Type": picture.type }, signal });
}

/** POST JSON → the answer's JSON. Raises Failure, KeyWanted. */
export function postJson(route, body, signal) {
  const headers = { "Content-Type": "application/json" };
  return answered(route, { method: "POST", body: JSON.stringify(body), headers, signal });
}

/** What may be asked without a key → the response. Raises Failure. */
export async function get(url) {
  const response = await reached(url, {});
  if (!response.ok) throw new Failure(await words(response));
  return response;
}

/** The same → its JSON. */
export async function getJson(url) {
  return (await get(url)).json();
}

/** An answer that goes on. Raises Failure, KeyWanted. */
export async function stream(route, signal) {
  return asked(route, { headers: {}, signal });
}

async function answered(route, how) {
  const response = await asked(route, how);
  return response.json();
}

async function asked(route, how) {
  const headers = { ...how.headers, Authorization: `Bearer ${key()}` };
  const response = await reached(address(route), { ...how, headers });
  if (response.ok) return response;
  const said = await words(response);
  if (response.status === 401) {
    refused();
    throw new KeyWanted(`${said}.`);
  }
  throw new Failure(said);
}

async function reached(url, how) {
  try {
    return await fetch(url, { ...how, cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Failure("The service does not answer. Is it running, and reached from here?");
  }
}

async function words(response) {
  let error = `The service answered ${response.status}`;
  try {
    error = (await response.json()).error;
  } catch {
    // a proxy's own page: its status is all that can be said
  }
  const seconds = response.headers.get("Retry-After");
  return seconds === null ? error : `${error}. Another try is worth it in ${seconds} s`;
}
