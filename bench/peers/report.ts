/** @module */
import { digits, table } from "../report.ts";
import type { Comparison } from "./comparisons.ts";
import { ratioToBest, type Summary } from "./rounds.ts";

/** A comparison with what came of it. */
export interface ComparisonResult {
  readonly comparison: Comparison;
  /** Ours first. */
  readonly summaries: readonly Summary[];
  /** Messages of contenders that could not take part. */
  readonly failures: readonly string[];
}

/** How many times as long as ours the fastest of those that count takes, and what is wanted. */
export function verdict({ comparison: { target }, summaries }: ComparisonResult) {
  const ratio = ratioToBest(summaries, target.against);
  return { ratio, wanted: target.ratio, reached: ratio !== undefined && ratio >= target.ratio };
}

/** Everything as plain data. */
export function peersDocument(results: readonly ComparisonResult[]) {
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
      i === 0 ? `${digits(ratio)} (${reached ? "" : "MISSED, "}wanted ${wanted})` : "",
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
