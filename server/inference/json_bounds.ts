/**
 * What JSON may hold before it is parsed: parsing makes a value of every comma, so a short text can take much memory and time, and a
 * thread that parses cannot be stopped. Counting its signs first takes a nanosecond for each byte.
 * @module
 */

/** How many of each there may be. */
export interface JsonBounds {
  /** Brackets within brackets. */
  readonly depth: number;
  /** Objects. */
  readonly objects: number;
  /** Lists. */
  readonly lists: number;
  /** Texts, names of members among them. */
  readonly texts: number;
  /** Members of objects. */
  readonly members: number;
  /** Commas. */
  readonly commas: number;
}

const QUOTE = 0x22, COMMA = 0x2c, COLON = 0x3a, OPEN_LIST = 0x5b, BACKSLASH = 0x5c, CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b, CLOSE_OBJECT = 0x7d;

/**
 * The first bound that this JSON exceeds, or undefined. What is no JSON gives either; its parser finds the fault, after no more work
 * than the bounds allow.
 */
export function exceededBound(json: Uint8Array, bounds: JsonBounds): keyof JsonBounds | undefined {
  let { objects, lists, texts, members, commas } = bounds;
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    switch (json[i]) {
      case QUOTE:
        if (--texts < 0) return "texts";
        i++;
        while (i < json.length && json[i] !== QUOTE) i += json[i] === BACKSLASH ? 2 : 1;
        break;
      case COMMA:
        if (--commas < 0) return "commas";
        break;
      case COLON:
        if (--members < 0) return "members";
        break;
      case OPEN_LIST:
        if (--lists < 0) return "lists";
        if (++depth > bounds.depth) return "depth";
        break;
      case OPEN_OBJECT:
        if (--objects < 0) return "objects";
        if (++depth > bounds.depth) return "depth";
        break;
      case CLOSE_LIST:
      case CLOSE_OBJECT:
        depth--;
    }
  }
  return undefined;
}
