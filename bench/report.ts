/**
 * What the benches print: tables in Markdown that a terminal shows as well, and the file that keeps an adapter's results.
 * @module
 */
import { dirname, fromFileUrl, join } from "@std/path";
import type { AdapterReport } from "../engine/verify/report.ts";
import type { Clock } from "../engine/profile.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import type { Ceilings } from "./kernels/ceilings.ts";
import type { KernelRow } from "./kernels/kernels.ts";
import type { HostRow, PhotosRow } from "./steps/photos.ts";
import type { InferenceRow, TrainingRow } from "./steps/steps.ts";

/** Everything that one run measured, as `--json` prints it. */
export interface Report {
  readonly bench: "engine";
  /** The command that made it. */
  readonly command: string;
  readonly adapter: AdapterReport;
  /** Where the kernels' times come from. */
  readonly clock: Clock;
  readonly ceilings: Ceilings;
  readonly kernels: readonly KernelRow[];
  readonly training: readonly TrainingRow[];
  readonly inference: readonly InferenceRow[];
  readonly host: readonly HostRow[];
  readonly photos: readonly PhotosRow[];
  readonly seconds: number;
}

/** The report in Markdown, which a terminal shows as well. */
export function reportLines(report: Report): string[] {
  const { adapter, ceilings, clock } = report;
  return [
    "## Kernels and whole steps",
    "",
    `${adapter.name} (${adapter.kind}), ${adapter.runtime}, ${adapter.tiles} tiles`,
    "",
    `\`${report.command}\`, ${report.seconds.toFixed(0)} s`,
    "",
    `Ceilings measured first: ${digits(ceilings.gigaflops)} GFLOP/s in registers, ${
      digits(ceilings.gigabytes)
    } GB/s copying more than caches hold.`,
    ...section(
      `Kernels (${clock === "timestamp" ? "the device's timestamps" : "wall clock"})`,
      kernelTable(report.kernels),
    ),
    ...section("Training, input on the device", trainingTable(report.training, ceilings)),
    ...section("Inference, input from the host, logits to the host", inferenceTable(report.inference)),
    ...section("Host time of a training step with photos, ms", hostTable(report.host)),
    ...section("Training on real photos from the second epoch on", photosTable(report.photos)),
  ];
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length > 2 ? ["", `### ${title}`, "", ...lines] : [];
}

/** A line for each launch: error of the check, time, rates, share of the nearer ceiling. */
export function kernelTable(rows: readonly KernelRow[]): string[] {
  let last = "";
  const cells = rows.map((row) => {
    const name = `${row.group}: ${row.case}`, first = name !== last;
    last = name;
    return [
      first ? name : "",
      row.launch.replace(/\.main$/, ""),
      row.correct ? row.error.toExponential(0) : `WRONG ${row.error.toExponential(0)}`,
      digits(row.milliseconds),
      digits(row.gigaflops),
      digits(row.gigabytes),
      percent(row.share),
      row.bound,
    ];
  });
  const headings = ["what", "launch", ">error", ">ms", ">GFLOP/s", ">GB/s", ">of ceiling", "nearer ceiling"];
  return table(headings, cells);
}

function trainingTable(rows: readonly TrainingRow[], { gigaflops }: Ceilings): string[] {
  return table(
    ["model", ">batch", ">ms a step", ">images/s", ">GFLOP/s", ">of ceiling", ">device MB", ">resident MB"],
    rows.map((row) => [
      row.model,
      `${row.batch}`,
      digits(row.milliseconds),
      digits(row.imagesPerSecond),
      digits(row.gigaflops),
      percent(row.gigaflops / gigaflops),
      digits(Math.round(row.deviceBytes / 1e6)),
      digits(Math.round(row.residentBytes / 1e6)),
    ]),
  );
}

function inferenceTable(rows: readonly InferenceRow[]): string[] {
  return table(
    ["model", ">batch", ">latency, ms", ">images/s"],
    rows.map((row) => [row.model, `${row.batch}`, digits(row.milliseconds), digits(row.imagesPerSecond)]),
  );
}

function hostTable(rows: readonly HostRow[]): string[] {
  return table(
    [
      "model",
      ">batch",
      ">launches",
      ">whole call",
      ">copying photos",
      ">the rest",
      ">beyond the device, in a row",
    ],
    rows.map((row) => [
      row.model,
      `${row.batch}`,
      `${row.launches}`,
      digits(row.call),
      digits(row.upload),
      digits(row.rest),
      digits(row.beyond),
    ]),
  );
}

function photosTable(rows: readonly PhotosRow[]): string[] {
  return table(
    ["model", ">batch", ">photos", "kept in", ">images/s", ">without photos", ">share"],
    rows.map((row) => [
      row.model,
      `${row.batch}`,
      `${row.photos}`,
      row.kept,
      digits(row.imagesPerSecond),
      digits(row.syntheticImagesPerSecond),
      percent(row.share),
    ]),
  );
}

/** Lines of a Markdown table that reads well as plain text too. Columns whose heading starts with `>` are aligned right. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const right = headings.map((heading) => heading.startsWith(">"));
  const names = headings.map((heading) => heading.replace(/^>/, ""));
  const widths = names.map((name, i) =>
    Math.max(3, name.length, ...rows.map((row) => (row[i] ?? "").length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      widths.map((width, i) => right[i] ? (cells[i] ?? "").padStart(width) : (cells[i] ?? "").padEnd(width))
        .join(" | ")
    } |`;
  const rule = `| ${
    widths.map((width, i) => right[i] ? "-".repeat(width - 1) + ":" : "-".repeat(width)).join(" | ")
  } |`;
  return [line(names), rule, ...rows.map(line)];
}

/** A number with about three digits; a dash for what was not measured. */
export function digits(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "-";
  const size = Math.abs(value);
  return size >= 100 || Number.isInteger(value)
    ? value.toFixed(0)
    : size >= 10
    ? value.toFixed(1)
    : value.toFixed(size >= 0.1 ? 2 : 3);
}

/** A share as whole percent; a dash for what was not measured. */
export function percent(share: number | undefined): string {
  return share === undefined || Number.isNaN(share)
    ? "-"
    : `${(share * 100).toFixed(share < 0.095 ? 1 : 0)} %`;
}

/** File name of an adapter's results, such as `llvmpipe-llvm-15.0.6-256-bits.md`. */
export function resultFile(adapter: string): string {
  const name = adapter.toLowerCase().replace(/[^a-z0-9.]+/g, "-").replace(/^[-.]+|[-.]+$/g, "");
  return `${name || "unknown"}.md`;
}

/** The text with a section's lines in place of its old ones, or after everything else where it is new. */
export function withSection(text: string, section: string, lines: readonly string[]): string {
  const begin = `<!-- ${section} -->`, end = `<!-- end of ${section} -->`;
  const inside = `${begin}\n\n${lines.join("\n")}\n\n${end}`;
  const from = text.indexOf(begin), to = text.indexOf(end);
  if (from === -1 || to < from) return `${text.trimEnd()}\n\n${inside}\n`;
  return text.slice(0, from) + inside + text.slice(to + end.length);
}

/** Writes a section of the adapter's file in `bench/results/` and returns the file's path. */
export async function saveSection(
  adapter: string,
  section: string,
  lines: readonly string[],
): Promise<string> {
  const path = join(dirname(fromFileUrl(import.meta.url)), "results", resultFile(adapter));
  const old = await Deno.readTextFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return `# ${adapter}\n`;
    throw error;
  });
  await Deno.mkdir(dirname(path), { recursive: true });
  await writeFileAtomically(path, new TextEncoder().encode(withSection(old, section, lines)));
  return path;
}
