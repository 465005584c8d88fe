/**
 * What a report says of a run itself: how it went, how fast, with what options, and how to repeat it.
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { format as formatDuration } from "@std/fmt/duration";
import { shellWord } from "../training/run/next_commands.ts";
import { chartFigures, runCurves } from "./curves.ts";
import type { RunLog } from "./event_log.ts";
import { confusionTable } from "./figure_tables.ts";
import { fact, type Html, html, percent, scrolling, type Section, share } from "./markup.ts";
import { wilson } from "./figures.ts";
import type { PageHead } from "./page.ts";

/** Flags that say where a run goes and how it is watched, with their values: a run that repeats it goes elsewhere. */
const PLACES = /^--(out|dashboard)(=|$)/;

/** The command lines of a run, the one that began it first; empty where a program did. */
export function commandsOf({ starts }: RunLog): string[] {
  return starts.flatMap(({ command }, n) => {
    if (!command) return [];
    // A log may begin in the middle, where an older version kept none.
    const resumed = command.some((word) => /^--resume(=|$)/.test(word));
    const kept = n > 0 || resumed ? command : command.filter((word, i) => {
      const before = command[i - 1];
      return !PLACES.test(word) && !(before === "--out" && !word.startsWith("-"));
    });
    return [["deno task train", ...kept.map((word) => shellWord(word, false))].join(" ")];
  });
}

/** A time span in words, at most two units. */
export function span(seconds: number): string {
  const text = formatDuration(Math.max(1, Math.round(seconds)) * 1000, { ignoreZero: true });
  return text.split(" ").slice(0, 2).join(" ");
}

/** What stands above a run's report. */
export function runHead(name: string, log: RunLog, now: "live" | "ended"): PageHead {
  const { starts, steps, end } = log, start = starts.at(-1);
  const about = start
    ? `${start.model}, ${start.parameters.toLocaleString("en")} parameters, on ${start.data}: ${
      start.images.train.toLocaleString("en")
    } training photos of ${start.classes.length} classes`
    : "A run of which nothing was recorded";
  const step = steps.at(-1)?.step ?? 0;
  const state: PageHead["state"] = end?.stopped
    ? { text: `Stopped after step ${end.step} of ${end.steps}`, kind: "waiting" }
    : end
    ? { text: "Finished", kind: "ready" }
    : now === "live"
    ? { text: start ? `Training: step ${step} of ${start.steps}` : "Starting", kind: "waiting" }
    : start
    ? { text: `Not finished: step ${step} of ${start.steps}`, kind: "away" }
    : undefined;
  return { title: name, about, state };
}

/** Curves, with the figures so far. */
export function progressSection(log: RunLog): Section[] {
  const { epochs, steps, end } = log, charts = runCurves(log), last = steps.at(-1);
  const best = epochs.findLast((epoch) => epoch.best && epoch.valid), valid = best?.valid;
  const test = end?.split === "test" ? end.result : undefined;
  if (charts.length === 0) return [];
  const shareOf = (accuracy: number, n: number) =>
    share({ value: accuracy, interval: wilson(Math.round(accuracy * n), n) });
  return [{
    id: "curves",
    title: "Training",
    body: html`<dl class="facts">${[
      ...test ? [fact("Test accuracy", shareOf(test.accuracy, test.n))] : [],
      ...valid
        ? [
          fact("Best validation accuracy", shareOf(valid.accuracy, valid.n)),
          fact("Best epoch", best.epoch),
          fact("Validation loss", valid.loss.toFixed(4)),
        ]
        : [],
      ...last ? [fact("Training loss", last.loss.toFixed(4))] : [],
      ...last && last.secondsLeft && !end ? [fact("Time left", span(last.secondsLeft))] : [],
    ]}</dl><h3>Curves</h3>${chartFigures(charts)}`,
  }];
}

/** The confusion matrix of the newest validation, where there is no better one. */
export function validationSection({ epochs }: RunLog): Section[] {
  const last = epochs.at(-1)?.valid;
  if (!last) return [];
  const classes = last.perClass.map(({ class: name }) => name);
  return [{
    id: "confusion",
    title: "Confusion matrix",
    body: html`<p class="quiet">The validation photos after epoch ${epochs.at(-1)!.epoch}.</p>${
      confusionTable({ confusion: last.confusion, classes })
    }`,
  }];
}

/** Throughput and memory. */
export function costSection(log: RunLog): Section[] {
  const { steps, starts, seconds } = log, start = starts.at(-1);
  if (steps.length === 0 || !start) return [];
  const rates = steps.map((s) => s.imagesPerSecond).filter((rate) => rate !== null).sort((a, b) => a - b);
  const median = rates[Math.floor(rates.length / 2)];
  const batch = Number(start.options.batchSize ?? 0) * Number(start.options.accumulate ?? 1);
  const images = steps.at(-1)!.step * batch;
  return [{
    id: "cost",
    title: "Throughput and memory",
    body: html`<dl class="facts">${[
      fact(
        "Images per second",
        median === undefined ? "–" : Math.round(median).toLocaleString("en"),
        "median",
      ),
      ...rates.length > 1
        ? [fact("Slowest and fastest", `${Math.round(rates[0]!)}–${Math.round(rates.at(-1)!)}`)]
        : [],
      fact("Device memory", formatBytes(Math.max(...steps.map((s) => s.deviceBytes))), "at most"),
      ...seconds > 0 ? [fact("Time", span(seconds), "validation included")] : [],
      ...images > 0 ? [fact("Images seen", images.toLocaleString("en"))] : [],
      fact("Adapter", html`<span class="text">${start.adapter}</span>`),
    ]}</dl>`,
  }];
}

/** How to repeat it, with what options, and what was told. */
export function repeatSection(log: RunLog): Section[] {
  const { starts, notes } = log, [first] = starts, start = starts.at(-1);
  if (!start) return [];
  const commands = commandsOf(log);
  return [{
    id: "repeat",
    title: "Repeat it",
    body: html`
      ${commands.length > 0
        ? html`<pre>${commands.join("\n")}</pre>`
        : html`<p>A program began this run; its options are below.</p>`}<p
        class="quiet">On the same adapter (${start.adapter}), with the same photos, Deno ${first?.deno ??
          Deno.version
            .deno} and version of this program, that gives bitwise the same weights.</p>${notes.length > 0
          ? html`
            <details>
              <summary>What was told</summary>
              <ul class="notes">${notes.map((note) => html`<li>${note}</li>`)}</ul>
            </details>
          `
          : ""}<details><summary>All options</summary>${optionsTable(start.options)}</details>
    `,
  }];
}

function optionsTable(options: Readonly<Record<string, unknown>>): Html {
  return scrolling(
    "Options",
    html`
      <table class="figures">
        <thead>
          <tr>
            <th scope="col">Option</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>${Object.entries(options).map(([name, value]) =>
          html`
            <tr>
              <th scope="row">${name}</th>
              <td>${optionText(value)}</td>
            </tr>
          `
        )}</tbody>
      </table>
    `,
  );
}

/** An option's value for people. */
export function optionText(value: unknown): string {
  if (value === undefined || value === null) return "–";
  return Array.isArray(value)
    ? value.join(", ")
    : typeof value === "object"
    ? JSON.stringify(value)
    : String(value);
}

/** Accuracy in a line, for lists of runs. */
export function bestAccuracy({ epochs }: RunLog): string {
  const best = epochs.findLast((epoch) => epoch.best && epoch.valid)?.valid;
  return percent(best?.accuracy);
}
