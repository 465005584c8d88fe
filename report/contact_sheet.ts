/**
 * Many pictures with captions as one: what `train_batch.jpg` and `val_predictions.jpg` are.
 * @module
 */
import { PICTURE } from "./look.ts";

/** A picture of a sheet. */
export interface Tile {
  /** A data URL. */
  readonly url: string;
  /** What it says below, a line each. */
  readonly lines: readonly string[];
  /** Whether it shows something that went wrong. */
  readonly wrong?: boolean;
}

const SIDE = 150, GAP = 10, LINE = 16, ACROSS = 4, TITLE = 40;

/** As SVG, four in a row, each fit into a square. */
export function contactSheet(title: string, tiles: readonly Tile[]): string {
  const lines = Math.max(0, ...tiles.map((tile) => tile.lines.length));
  const cell = SIDE + lines * LINE + 2 * GAP;
  const width = ACROSS * (SIDE + GAP) + GAP;
  const height = TITLE + Math.ceil(tiles.length / ACROSS) * cell + GAP;
  const parts = tiles.map(({ url, lines, wrong }, i) => {
    const x = GAP + i % ACROSS * (SIDE + GAP), y = TITLE + Math.floor(i / ACROSS) * cell;
    const texts = lines.map((line, n) =>
      `<text x="${x}" y="${y + SIDE + (n + 1) * LINE}" fill="${wrong ? "#a3231f" : "#201a17"}">${
        escaped(line.length > 24 ? `${line.slice(0, 23)}…` : line)
      }</text>`
    );
    return `<image x="${x}" y="${y}" width="${SIDE}" height="${SIDE}" href="${url}"/>${texts.join("")}`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="${PICTURE.font}" ` +
    `font-size="12"><text x="${GAP}" y="26" font-size="16">${escaped(title)}</text>${parts.join("")}</svg>`;
}

/** Several charts with titles as one SVG, two in a row, each with what its lines are. */
export function chartSheet(
  charts: readonly {
    readonly title: string;
    readonly keys: readonly { name: string; colour: string }[];
    readonly svg: string;
  }[],
): string {
  const width = 372, height = 280;
  const parts = charts.map(({ title, keys, svg }, i) => {
    const x = 10 + i % 2 * width, y = Math.floor(i / 2) * height;
    let at = x;
    const legend = keys.map(({ name, colour }) => {
      const text = `<text x="${at}" y="${y + 46}" fill="${colour}">${escaped(name)}</text>`;
      at += 12 + 7 * name.length;
      return text;
    });
    return `<text x="${x}" y="${y + 26}" font-size="16">${escaped(title)}</text>${legend.join("")}` +
      svg.replace("<svg ", `<svg x="${x}" y="${y + 54}" `);
  });
  const rows = Math.ceil(charts.length / 2);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${2 * width + 20}" height="${rows * height + 10}" ` +
    `font-family="${PICTURE.font}" font-size="13">${parts.join("")}</svg>`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
