/**
 * LZW as GIF and TIFF pack their pixels, unpacked to no more than is asked for.
 * @module
 */

/** How the codes are written. */
export interface LzwOptions {
  /** Bits of a value: 8 in TIFF, 1 to 8 in GIF. */
  readonly bits: number;
  /** Whether a code begins with a byte's lowest bit: GIF, and TIFF before version 6. */
  readonly lowFirst: boolean;
  /** Whether codes grow by a bit one code early, as TIFF's do since version 6. */
  readonly early: boolean;
}

const LONGEST = 12, CODES = 1 << LONGEST;

/**
 * Unpacks at most `most` values, fewer where the data ends before; undefined where a code makes no sense. A code that clears the
 * table need not come first.
 */
export function unpackLzw(
  packed: Uint8Array,
  most: number,
  { bits, lowFirst, early }: LzwOptions,
): Uint8Array | undefined {
  const out = new Uint8Array(most);
  const clear = 1 << bits, end = clear + 1, shift = early ? 1 : 0;
  // What a code stands for is always somewhere in the output already: where it starts, and how long it is.
  const starts = new Uint32Array(CODES), lengths = new Uint32Array(CODES);
  let next = end + 1, width = bits + 1, buffer = 0, held = 0, at = 0, previous = -1;
  for (let i = 0; i < packed.length && at < most;) {
    buffer = lowFirst ? buffer | packed[i++]! << held : (buffer << 8 | packed[i++]!) & 0xffffff;
    held += 8;
    while (held >= width && at < most) {
      held -= width;
      const mask = (1 << width) - 1;
      const code = (lowFirst ? buffer : buffer >> held) & mask;
      if (lowFirst) buffer >>>= width;
      if (code === end) return out.subarray(0, at);
      if (code === clear) {
        next = end + 1;
        width = bits + 1;
        previous = -1;
        continue;
      }
      const literal = code < clear;
      if (!literal && (code > next || previous < 0)) return undefined;
      if (previous >= 0 && next < CODES) {
        // The new code: the previous string and one more value, which is the first of what is written now.
        lengths[next] = (previous < clear ? 1 : lengths[previous]!) + 1;
        starts[next] = at - lengths[next]! + 1;
        next++;
      }
      if (literal) out[at++] = code;
      else for (let k = 0; k < lengths[code]! && at < most; k++) out[at++] = out[starts[code]! + k]!;
      previous = code;
      if (next + shift >= 1 << width && width < LONGEST) width++;
    }
  }
  return out.subarray(0, at);
}
