// The chosen face by itself, with its landmarks and axes at a size at which they can be told apart.

import { draw } from "./dom.js";
import { marks } from "./overlay.js";

const SIDE = 190;
/** of the crop, in widths of the box: chin, forehead and the ends of the axes are in it */
const REACH = 1.55;

/** picture: as it was sent. size: [width, height] of the upright image. */
export function closeUp(picture, [width, height], face, shown) {
  const [x1, y1, x2, y2] = face.bbox;
  const side = Math.max(x2 - x1, y2 - y1) * REACH;
  const corner = [(x1 + x2 - side) / 2, (y1 + y2 - side) / 2];
  const image = draw("image", { href: picture.url, width, height });
  return draw(
    "svg",
    { class: "overlay closeup", viewBox: `${corner.join(" ")} ${side} ${side}`, "aria-hidden": "true" },
    image,
    ...marks(face, shown, SIDE / side),
  );
}
