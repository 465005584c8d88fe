/** @module */
import { Child, CONTENDERS } from "./child.ts";
import type { Comparison } from "./comparisons.ts";
import type { ComparisonResult } from "./report.ts";
import { stepsPerRound } from "../steps/steps.ts";
import { type Measured, summarise } from "./rounds.ts";

/** Runs one comparison: everyone prepares, then rounds of about `milliseconds`, everyone in turn. `tell` hears of the progress. */
export async function compare(
  comparison: Comparison,
  { rounds, milliseconds }: { readonly rounds: number; readonly milliseconds: number },
  tell: (text: string) => void,
): Promise<ComparisonResult> {
  const { name, task, contenders } = comparison;
  await using children = new AsyncDisposableStack();
  const failures: string[] = [];
  const taking: { child: Child; measured: Measured & { milliseconds: number[] } }[] = [];
  for (const contender of CONTENDERS.filter((c) => contenders.includes(c.name))) {
    tell(`${name}: preparing ${contender.name}`);
    const child = children.use(new Child(contender));
    try {
      const prepared = await child.ask({ ask: "prepare", task });
      if (prepared.reply !== "prepared") throw new Error(`${contender.name} answered ${prepared.reply}`);
      // The second step alone: the first still compiles for some.
      await run(child, 1);
      const steps = stepsPerRound(await run(child, 1), milliseconds);
      const { library, adapter, answer } = prepared;
      taking.push({
        child,
        measured: { name: contender.name, library, adapter, answer, steps, milliseconds: [] },
      });
    } catch (error) {
      failures.push((error as Error).message);
      tell(`${name}: ${failures.at(-1)}`);
    }
  }
  for (let round = 1; round <= rounds; round++) {
    for (const { child, measured } of taking) {
      measured.milliseconds.push(await run(child, measured.steps) / measured.steps);
    }
    const told = taking.map(({ measured }) => `${measured.name} ${measured.milliseconds.at(-1)!.toFixed(1)}`);
    tell(`${name}: round ${round} of ${rounds}, ms a step: ${told.join(", ")}`);
  }
  return { comparison, failures, summaries: summarise(taking.map(({ measured }) => measured)) };
}

async function run(child: Child, steps: number): Promise<number> {
  const ran = await child.ask({ ask: "run", steps });
  if (ran.reply !== "ran") throw new Error(`${child.contender.name} answered ${ran.reply}`);
  return ran.milliseconds;
}
