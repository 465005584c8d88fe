/**
 * Numbers that a network cannot use: a weight that is NaN can hide, since max(NaN, 0) is 0 in WGSL's ReLU, and the answers look like any
 * others. So what comes from outside is looked at before it is used.
 * @module
 */

/** Little-endian, as every machine this runs on is: float32 values at any offset. */
const piece = new Float32Array(16_384);

/** The first of these values that is NaN or whose magnitude is over `limit` (finite; default: any finite value will do), or undefined. */
export function firstBeyond(
  values: Float32Array,
  limit: number = Number.MAX_VALUE,
): { readonly index: number; readonly value: number } | undefined {
  // One comparison for both: NaN is not below anything. Number.isFinite takes ten times as long.
  for (let index = 0; index < values.length; index++) {
    const value = values[index]!;
    if (!(Math.abs(value) <= limit)) return { index, value };
  }
  return undefined;
}

/** As `firstBeyond` for the bytes of float32 values, which need not be aligned: they are looked at in copies of a piece at a time. */
export function firstBeyondIn(bytes: Uint8Array, limit?: number): ReturnType<typeof firstBeyond> {
  const pieceBytes = new Uint8Array(piece.buffer);
  for (let at = 0; at < bytes.length; at += pieceBytes.length) {
    const part = bytes.subarray(at, at + pieceBytes.length);
    pieceBytes.set(part);
    const bad = firstBeyond(piece.subarray(0, Math.floor(part.length / 4)), limit);
    if (bad !== undefined) return { index: at / 4 + bad.index, value: bad.value };
  }
  return undefined;
}
