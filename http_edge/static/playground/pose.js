// Where the three axes of a head lie in the picture.

const RADIANS = Math.PI / 180;

/** pose: yaw, pitch, roll in degrees, as the API has them. Returns unit vectors seen from the front,
 *  x to the right and y down: towards the face's own left, up over the head, and out of the nose.
 *  The rotation is roll after yaw after pitch, as stream/vision/pose.py takes it apart. */
export function axes({ yaw, pitch, roll }) {
  const [sy, cy] = [Math.sin(yaw * RADIANS), Math.cos(yaw * RADIANS)];
  const [sp, cp] = [Math.sin(pitch * RADIANS), Math.cos(pitch * RADIANS)];
  const [sr, cr] = [Math.sin(roll * RADIANS), Math.cos(roll * RADIANS)];
  return {
    left: [cr * cy, sr * cy],
    up: [-(cr * sy * sp - sr * cp), -(sr * sy * sp + cr * cp)],
    out: [cr * sy * cp + sr * sp, sr * sy * cp - cr * sp],
  };
}
