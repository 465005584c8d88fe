/**
 * Several runs on one page: what they had in common and what not, and their curves together.
 * @module
 */
import { basename, resolve } from "@std/path";
import { UserError } from "../engine/errors.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { chartFigures, comparedCurves } from "./curves.ts";
import { readRunLog, type RunLog } from "./event_log.ts";
import { wilson } from "./figures.ts";
import { SERIES } from "./look.ts";
import { html, scrolling, type Section, share } from "./markup.ts";
import { page } from "./page.ts";
import { optionText, span } from "./run_sections.ts";

/** A run and its name. */
export interface ComparedRun {
  readonly name: string;
  readonly log: RunLog;
}

/** Writes a page that compares the runs in these folders. Throws a `UserError` where one of them holds none. */
export async function writeComparison(folders: readonly string[], path: string): Promise<void> {
  const runs: ComparedRun[] = [];
  for (const folder of folders) {
    const log = await readRunLog(folder);
    if (!log || log.starts.length === 0) {
      throw new UserError(
        `Cannot compare ${folder}: it holds no events.jsonl, which runs write as they go on`,
      );
    }
    runs.push({ name: basename(resolve(folder)), log });
  }
  const about = `${runs.length} runs: ${runs.map(({ name }) => name).join(", ")}`;
  const text = page({ title: "Runs compared", about }, comparisonSections(runs));
  await writeFileAtomically(path, new TextEncoder().encode(text));
}

/** The sections of such a page. */
export function comparisonSections(runs: readonly ComparedRun[]): Section[] {
  const charts = comparedCurves(runs);
  return [
    { id: "results", title: "Results", body: resultsTable(runs) },
    ...charts.length > 0 ? [{ id: "curves", title: "Curves", body: chartFigures(charts) }] : [],
    { id: "options", title: "Options that differ", body: differences(runs) },
  ];
}

function resultsTable(runs: readonly ComparedRun[]) {
  return scrolling(
    "Results of each run",
    html`
      <table class="figures">
        <thead>
          <tr>
            <th scope="col">Run</th>
            <th scope="col">Best validation accuracy</th>
            <th scope="col">Validation loss</th>
            <th scope="col">Best epoch</th>
            <th scope="col">Test accuracy</th>
            <th scope="col">Epochs</th>
            <th scope="col">Parameters</th>
            <th scope="col">Time</th>
            <th scope="col">Images/s</th>
          </tr>
        </thead>
        <tbody>${runs.map(({ name, log: { starts, epochs, end, seconds, steps } }, k) => {
          const best = epochs.findLast((epoch) => epoch.best && epoch.valid), valid = best?.valid;
          const test = end?.split === "test" ? end.result : undefined;
          const accuracy = (of: { accuracy: number; n: number } | undefined) =>
            of ? share({ value: of.accuracy, interval: wilson(Math.round(of.accuracy * of.n), of.n) }) : "–";
          const rates = steps.map((s) => s.imagesPerSecond).filter((rate) => rate !== null).sort((a, b) =>
            a - b
          );
          return html`
            <tr>
              <th scope="row"><span class="swatch series-${k % SERIES + 1} dash-${Math.floor(k / SERIES) %
                4}"></span> ${name}</th>
              <td>${accuracy(valid)}</td>
              <td>${valid ? valid.loss.toFixed(4) : "–"}</td>
              <td>${best?.epoch ?? "–"}</td>
              <td>${accuracy(test)}</td>
              <td>${epochs.length} of ${starts.at(-1)!.epochs}</td>
              <td>${starts.at(-1)!.parameters.toLocaleString("en")}</td>
              <td>${seconds > 0 ? span(seconds) : "–"}</td>
              <td>${rates.length > 0 ? Math.round(rates[Math.floor(rates.length / 2)]!) : "–"}</td>
            </tr>
          `;
        })}</tbody>
      </table>
    `,
  );
}

/** What the runs did otherwise: options, and what else decides a result. */
function differences(runs: readonly ComparedRun[]) {
  const of = ({ log }: ComparedRun): Record<string, unknown> => {
    const { options, adapter, data, images, deno } = log.starts.at(-1)!;
    return { ...options, data: options.data ?? data, photos: images.train, adapter, deno };
  };
  const all = runs.map(of), names = [...new Set(all.flatMap((options) => Object.keys(options)))];
  const rows = names.map((name) => ({ name, values: all.map((options) => optionText(options[name])) }))
    .filter(({ values }) => new Set(values).size > 1);
  if (rows.length === 0) return html`<p>None: the runs had the same options.</p>`;
  return scrolling(
    "Values of each run",
    html`
      <table class="figures">
        <thead>
          <tr><th scope="col">Option</th>${runs.map(({ name }) => html`<th scope="col">${name}</th>`)}</tr>
        </thead>
        <tbody>${rows.map(({ name, values }) =>
          html`<tr><th scope="row">${name}</th>${values.map((value) => html`<td>${value}</td>`)}</tr>`
        )}</tbody>
      </table>
    `,
  );
}
