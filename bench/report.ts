/** @module */
import type { AdapterReport } from "../commands/doctor_report.ts";
import type { Ceilings } from "./kernels/ceilings.ts";
import type { KernelRow } from "./kernels/kernels.ts";
import type { Clock } from "../engine/profile.ts";
import { digits, percent, table } from "./report_table.ts";
import type { InferenceRow, TrainingRow } from "./steps/steps.ts";
import type { HostRow } from "./steps/host.ts";
import type { PhotosRow } from "./steps/photos.ts";

/** Everything that one run measured, as `--json` prints it. */
export interface Report {
  readonly bench: "engine";
  /** The command that made it. */
  readonly command: string;
  readonly adapter: AdapterReport;
  /** Identity of the measured tiles in use, or "built-in". */
  readonly tiles: string;
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
    `${adapter.name} (${adapter.kind}), ${adapter.runtime}, ${report.tiles} tiles`,
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
