/**
 * What `deno task tune` says to people.
 * @module
 */
import { choiceText, type TileTable } from "../../engine/kernels/matmul/tiles.ts";
import type { Outcome, Tuning } from "./search.ts";

/** `1 min 20 s`, or `20 s`. */
export function durationText(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** One line for a product that is done. */
export function progressText(outcome: Outcome, done: number, of: number): string {
  const { layer, key, builtInMilliseconds: before, milliseconds: after, wrong, measured } = outcome;
  const bad = wrong.length > 0 ? `; ${wrong.length} computed something else` : "";
  return `${done}/${of} ${layer} ${key}: ${before.toFixed(2)} -> ${
    after.toFixed(2)
  } ms, ${measured} tiles tried${bad}`;
}

/** The table at the end: what each product took before and after, and with which tile. */
export function tuningText(
  { outcomes, complete, seconds }: Tuning,
  table: TileTable,
  path: string,
): string[] {
  const rows = outcomes.map((o) => [
    o.layer,
    o.key,
    o.builtInMilliseconds.toFixed(2),
    o.milliseconds.toFixed(2),
    (o.flops / o.milliseconds / 1e6).toFixed(1),
    o.winner === o.builtIn ? "built-in" : choiceText(o.winner),
  ]);
  const headings = ["layer", "product", "ms before", "ms after", "GFLOP/s", "tile"];
  const widths = headings.map((h, i) => Math.max(h.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => i >= 2 && i <= 4 ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")
      .trimEnd();
  const sum = (pick: (o: Outcome) => number) => outcomes.reduce((total, o) => total + pick(o), 0).toFixed(1);
  return [
    line(headings),
    ...rows.map(line),
    "",
    `all products: ${sum((o) => o.builtInMilliseconds)} ms before, ${sum((o) => o.milliseconds)} ms after`,
    `measured in ${durationText(seconds)}${complete ? "" : ", stopped before all was tried"}`,
    table.choices.size > 0
      ? `wrote ${path}, table ${table.id}`
      : `nothing was measured, ${path} is as it was`,
  ];
}
