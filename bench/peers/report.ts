/**
 * The comparisons with peers as one document and as a table for people.
 * @module
 */
import { digits, table } from "../report.ts";
import { type ComparisonResult, ratioToBest, type Summary } from "./comparisons.ts";
import type { Task } from "./workload.ts";

/** How a comparison went. */
export interface Verdict {
  /** How many times as long as ours the fastest of those that count takes; undefined where none was measured. */
  readonly ratio: number | undefined;
  readonly wanted: number;
  readonly reached: boolean;
}

/** Everything that was compared, as `--json` prints it. */
export interface PeersDocument {
  readonly bench: "peers";
  readonly runtime: string;
  readonly adapter: string;
  readonly comparisons: readonly (Verdict & {
    readonly name: string;
    readonly task: Task;
    readonly against: readonly string[];
    /** `perSecond` counts images or products. */
    readonly contenders: readonly (Summary & { readonly perSecond: number })[];
    readonly failures: readonly string[];
  })[];
}

/** How many times as long as ours the fastest of those that count takes, and what is wanted. */
export function verdict({ comparison: { target }, summaries }: ComparisonResult): Verdict {
  const ratio = ratioToBest(summaries, target.against);
  return { ratio, wanted: target.ratio, reached: ratio !== undefined && ratio >= target.ratio };
}

/** Everything as plain data. */
export function peersDocument(results: readonly ComparisonResult[]): PeersDocument {
  return {
    bench: "peers",
    runtime: `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}`,
    adapter: results[0]?.summaries[0]?.adapter ?? "none",
    comparisons: results.map((result) => ({
      name: result.comparison.name,
      task: result.comparison.task,
      against: result.comparison.target.against,
      ...verdict(result),
      contenders: result.summaries.map((s) => ({
        ...s,
        perSecond: 1000 * result.comparison.perStep / s.median,
      })),
      failures: result.failures,
    })),
  };
}

/** The table for people. */
export function peersTable(results: readonly ComparisonResult[]): string[] {
  const rows = results.flatMap((result) => {
    const { comparison: { name, perStep }, summaries } = result;
    const { ratio, wanted, reached } = verdict(result);
    return summaries.map((s, i) => [
      i === 0 ? name : "",
      s.library,
      digits(s.median),
      digits(1000 * perStep / s.median),
      i === 0 ? "" : digits(s.ratio),
      i > 0 || ratio === undefined ? "" : `${digits(ratio)} (${reached ? "" : "MISSED, "}wanted ${wanted})`,
      i === 0
        ? ""
        : s.same
        ? `yes, ${s.difference.toExponential(0)}`
        : `NO, ${s.difference.toExponential(1)}`,
      `${s.milliseconds.length} x ${s.steps}`,
    ]);
  });
  const failures = results.flatMap(({ comparison, failures }) =>
    failures.map((f) => `${comparison.name}: ${f}`)
  );
  const adapters = new Set(results.flatMap(({ summaries }) => summaries.map((s) => s.adapter)));
  return [
    `adapter ${[...adapters].join(" and ")}, Deno ${Deno.version.deno}`,
    "",
    ...table(
      [
        "what",
        "library",
        ">ms a step",
        ">images or products/s",
        ">its time / ours",
        "best peer / ours",
        "same result, difference",
        "rounds x steps",
      ],
      rows,
    ),
    ...(failures.length > 0 ? ["", ...failures] : []),
  ];
}
