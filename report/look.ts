/**
 * How charts look: on a page, whose style says which colours are meant by day and by night, and in a picture, which has its own.
 * @module
 */

/** Colours of a chart. */
export interface Look {
  /** Lines, in their order. */
  readonly series: readonly string[];
  /** What is said beside. */
  readonly quiet: string;
  /** Bars and cells. */
  readonly fill: string;
  /** Lettering. */
  readonly font: string;
  /** Pixels of the letters. */
  readonly size: number;
}

/** Lines that can be told apart; of more, the colours begin again with another dash. */
export const SERIES = 6;

/** On a page; page.css defines the names. */
export const PAGE: Look = {
  series: Array.from({ length: SERIES }, (_, k) => `var(--series-${k + 1})`),
  quiet: "var(--quiet)",
  fill: "var(--series-1)",
  font: "inherit",
  size: 12,
};

/** In a picture on white; the colours are those of the page by day. */
export const PICTURE: Look = {
  series: ["#b83a1b", "#1f5fa8", "#2f6f4f", "#88226a", "#8a6100", "#3d4750"],
  quiet: "#6b6059",
  fill: "#b83a1b",
  font: "Noto Sans Variable, sans-serif",
  size: 13,
};

/** Dashes of lines whose colours are taken already; the first is none. */
export const DASHES = ["none", "6 3", "2 3", "8 3 2 3"] as const;
