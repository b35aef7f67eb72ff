// Numbers as people read them. What is null was not measured, and is never shown as 0.

export const NOT_MEASURED = "not measured";

/** A number with so many digits behind the point, and its unit. */
export function number(value, digits = 2, unit = "") {
  return value === null || value === undefined ? NOT_MEASURED : `${value.toFixed(digits)}${unit}`.replace("-", "−");
}

/** A share in [0, 1]. */
export function percent(value, digits = 0) {
  return value === null || value === undefined ? NOT_MEASURED : `${(value * 100).toFixed(digits)} %`;
}

/** A word of the API, or that there is none. */
export function word(value) {
  return value ?? NOT_MEASURED;
}

/** "1 face", "2 faces", "no face". */
export function count(size, one, many = `${one}s`) {
  return size === 0 ? `no ${one}` : `${size} ${size === 1 ? one : many}`;
}

/** Degrees in words: which way a head is turned, from the face's own point of view. */
export function turned(degrees, positive, negative) {
  if (degrees === null || degrees === undefined) return NOT_MEASURED;
  const size = Math.abs(degrees);
  return size < 0.5 ? "straight" : `${size.toFixed(0)}° ${degrees > 0 ? positive : negative}`;
}
