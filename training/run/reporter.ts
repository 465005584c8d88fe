/**
 * Who tells on what a run tells: plain lines, a terminal's progress line, or one JSON object a line.
 * @module
 */
import { format as formatDuration } from "@std/fmt/duration";
import { dirname, join } from "@std/path";
import { nameList, quoteName } from "../../data/dataset/names.ts";
import { count, printable, wrap } from "../../engine/text.ts";
import type { ClassFigures, Evaluation } from "../evaluation/evaluate.ts";
import type { LossParts } from "../step/loss_sums.ts";
import type { FoldFigures, Reporter, RunEvent } from "./events.ts";
import { nextCommands, shellWord } from "./next_commands.ts";

/** Between two lines about the progress of one thing, in milliseconds. */
const JSON_PROGRESS_MS = 250;

/** One JSON object a line on standard output, for programs. Of a thing's progress the first, the last and at most four a second are told. */
export function jsonReporter(
  write: (line: string) => void,
  now: () => number = () => performance.now(),
): Reporter {
  let what: string | undefined, told = 0;
  return (event) => {
    if (event.event === "progress") {
      if (event.what === what && event.done < event.total && now() - told < JSON_PROGRESS_MS) return;
      [what, told] = [event.what, now()];
    }
    write(JSON.stringify(event));
  };
}

/**
 * Lines for people. On a terminal the step line is rewritten in place; elsewhere a line is printed about every ten
 * seconds, so that a log file stays readable.
 */
export function textReporter(
  write: (text: string) => void,
  { terminal, columns = 100, now = () => performance.now() }: {
    terminal: boolean;
    columns?: number;
    now?: () => number;
  },
): Reporter {
  let open = false;
  let lastLine = -Infinity;
  const line = (text: string) => {
    write((open ? "\r\x1b[K" : "") + printable(text) + "\n");
    open = false;
  };
  const status = (text: string, final: boolean) => {
    if (terminal && final) {
      // Whoever writes next, here or not, begins a line.
      write("\r\x1b[K");
      open = false;
    } else if (terminal) {
      write("\r\x1b[K" + shortened(text, columns));
      open = true;
    } else if (final || now() - lastLine > 10_000) {
      lastLine = now();
      write(text + "\n");
    }
  };
  return (event) => {
    switch (event.event) {
      case "progress":
        return status(`${event.what} ${event.done} of ${event.total}`, event.done === event.total);
      case "step":
        return status(stepText(event, columns), false);
      default:
        return textOf(event, columns)
          // A command line is to be copied, and a log has no width.
          .flatMap((text) => terminal && event.event !== "end" ? folded(text, columns) : [text])
          .forEach(line);
    }
  };
}

/** As many fields of a line, two spaces between them, as leave a column free; of a field that alone is too long, its words. */
function shortened(text: string, columns: number): string {
  if (text.length < columns) return text;
  const visible = text.slice(0, columns), fields = visible.trimEnd().lastIndexOf("  ");
  return text.slice(0, Math.max(0, fields > 0 ? fields : visible.lastIndexOf(" "))).trimEnd();
}

/** A line in lines that leave a column free, broken between words, the further ones under what follows its label. */
function folded(text: string, columns: number): string[] {
  const label = /^(Epoch \d+|\S+) {2,}/.exec(text)?.[0] ?? "", width = columns - 1 - label.length;
  if (text.length < columns || width < 20) return [text];
  const indent = " ".repeat(label.length);
  return wrap(text.slice(label.length), width).map((part, i) => (i === 0 ? label : indent) + part.trim());
}

/** A time span for people: `1m 5s`. */
function spell(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  return formatDuration(Math.max(1, Math.round(seconds)) * 1000, { ignoreZero: true });
}

const percent = (share: number | null | undefined) => share == null ? "-" : `${(share * 100).toFixed(1)} %`;

/** The rate as a line's further field, nothing where none is known. */
const rateText = (rate: number | null) => rate === null ? "" : `  ${rate.toFixed(0)} images/s`;

function foldsText(label: string, { accuracy, mean, deviation }: FoldFigures, of: string): string {
  const each = accuracy.map((share) => (share * 100).toFixed(1)).join(", ");
  return `${label.padEnd(10)}accuracy ${percent(mean)}, standard deviation ${
    (deviation * 100).toFixed(1)
  } (${each}): ${of}`;
}

/** What a loss on soft targets is made of, in nats, as a line's further field. */
function partsText(parts: LossParts | undefined): string {
  if (!parts) return "";
  const { crossEntropy, divergence, entropy } = parts;
  return `, cross-entropy ${crossEntropy.toFixed(4)} = KL divergence ${
    divergence.toFixed(4)
  } + targets' entropy ${entropy.toFixed(4)}`;
}

/** The bar takes what the numbers leave of a line of `columns`. */
function stepText(e: Extract<RunEvent, { event: "step" }>, columns: number): string {
  const text = ` ${e.step}/${e.steps}  epoch ${e.epoch}  loss ${e.loss.toFixed(4)}  ` +
    `accuracy ${percent(e.accuracy)}${rateText(e.imagesPerSecond)}` +
    (e.secondsLeft ? `  ${spell(e.secondsLeft)} left` : "");
  const width = Math.min(20, Math.max(0, columns - 1 - text.length));
  return "█".repeat(Math.round(e.step / e.steps * width)).padEnd(width, "░") + text;
}

function textOf(e: Exclude<RunEvent, { event: "step" | "progress" }>, columns: number): string[] {
  switch (e.event) {
    case "note":
      return [e.text];
    case "resumed":
      return []; // a note says it in words
    case "start":
      return [
        `Adapter   ${e.adapter}${e.tiles === "built-in" ? "" : `, tuned tiles ${e.tiles}`}`,
        `Model     ${e.model}, ${e.parameters.toLocaleString("en")} parameters`,
        `Data      ${e.data}: ${
          count(e.images.train, "training image")
        }, ${e.images.valid} validation, ${e.images.test} test (${e.split})`,
        classesText(e.classes, columns),
        `Run       ${e.out}: ${count(e.epochs, "epoch")}, ${count(e.steps, "step")}`,
        ...e.chosen.length > 0 ? [`Chosen    ${e.chosen.map(({ text }) => text).join(", ")}`] : [],
      ];
    case "epoch": {
      const valid = e.valid
        ? `validation loss ${e.valid.loss.toFixed(4)}, accuracy ${percent(e.valid.accuracy)}${
          e.best ? " (best)" : ""
        }`
        : "no validation split";
      return [
        `Epoch ${e.epoch}  training loss ${e.trainLoss.toFixed(4)}, accuracy ${percent(e.trainAccuracy)}${
          partsText(e.targets)
        }  ` +
        `${valid}${rateText(e.imagesPerSecond)}`,
      ];
    }
    case "folds":
      return [
        foldsText("Folds", e.best, "each fold's best epoch, which was chosen on the same photos"),
        foldsText("Last", e.last, "each fold's last epoch, which nothing was chosen by"),
        `Labels    every photo was judged by a run that was not trained on it: deno task inspect says which labels ` +
        `may be wrong, given --checkpoint ${shellWord(join(e.out, "fold-1"))} and so on`,
      ];
    case "end":
      return [
        ...resultText(e),
        `Last      ${e.last}`,
        ...(e.best ? [`Best      ${e.best}`] : []),
        ...(e.stopped ? [] : ["Next", ...nextCommands(e).map((command) => `  ${command}`)]),
      ];
  }
}

function resultText(e: Extract<RunEvent, { event: "end" }>): string[] {
  if (e.stopped) {
    return [
      `Stopped in epoch ${e.epoch} after step ${e.step} of ${e.steps} (${
        spell(e.seconds)
      }); go on with: deno task train --resume ${shellWord(dirname(e.last))}`,
    ];
  }
  if (!e.result) return [`Done in ${spell(e.seconds)}; there was no split to test on`];
  const split = e.split === "test" ? "test split" : "validation split (there is no test split)";
  return [
    `Done in ${spell(e.seconds)}. Best checkpoint on the ${split}: ` +
    `accuracy ${percent(e.result.accuracy)}, balanced accuracy ${percent(e.result.balancedAccuracy)}`,
    ...(e.trainedBefore > 0
      ? [
        `Warning: ${e.trainedBefore} of these ${count(e.result.n, "image")} ${
          e.trainedBefore === 1 ? "was" : "were"
        } trained on by the starting weights, so the figures flatter the network`,
      ]
      : []),
    ...evaluationText(e.result),
  ];
}

/** All classes where they fit in a line, else how many and the first of them. */
function classesText(classes: readonly string[], columns: number): string {
  const whole = `Classes   ${nameList(classes, Infinity)}`;
  const start = `Classes   ${classes.length} classes: `;
  return whole.length < columns ? whole : start + nameList(classes, columns - 1 - start.length);
}

/** Up to so many classes have a line each; of more, those that are recognised least. */
const LINES = 20;

/** An evaluation for people. */
export function evaluationText(result: Evaluation): string[] {
  const { n, accuracy, balancedAccuracy, loss, perClass } = result;
  const all = perClass.length <= LINES;
  const shown = all ? perClass : leastRecognised(result);
  return [
    `${count(n, "image")}, accuracy ${percent(accuracy)}, balanced accuracy ${percent(balancedAccuracy)}, ` +
    `loss ${loss.toFixed(4)}`,
    ...trustText(result),
    ...(all ? [] : [`${perClass.length} classes; least recognised (--json prints all):`]),
    ...shown.map((c) =>
      `  ${quoteName(c.class)}: ${count(c.n, "image")}, recall ${percent(c.recall)}, precision ${
        percent(c.precision)
      }`
    ),
    ...(all ? [] : mixedUpText(result)),
  ];
}

/** How far its probabilities are from what comes true, and what it calls unknown. */
function trustText({ ece, calibrated, unknown }: Evaluation): string[] {
  if (ece === undefined) return [];
  const error = calibrated
    ? `calibration error ${calibrated.ece.toFixed(4)} at temperature ${calibrated.temperature.toFixed(3)} (${
      ece.toFixed(4)
    } without)`
    : `calibration error ${ece.toFixed(4)}`;
  if (!unknown) return [error];
  const { refused, acceptedAccuracy } = unknown;
  const others = acceptedAccuracy === null ? "" : `, accuracy ${percent(acceptedAccuracy)} on the others`;
  return [`${error}; ${percent(refused)} called unknown${others}`];
}

/** Ten classes: the least recall first, those without images left out. */
function leastRecognised({ perClass }: Evaluation): readonly ClassFigures[] {
  return perClass.filter(({ recall }) => recall !== null).sort((a, b) => a.recall! - b.recall!).slice(0, 10);
}

/** Too many classes for a table: the ten pairs that are mixed up most. */
function mixedUpText({ perClass, confusion }: Evaluation): string[] {
  const name = (k: number) => quoteName(perClass[k]!.class);
  const pairs = confusion.flatMap((row, k) => row.map((count, j) => ({ count, k, j })))
    .filter(({ count, k, j }) => k !== j && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, 10);
  if (pairs.length === 0) return [];
  return ["mixed up most:", ...pairs.map(({ count, k, j }) => `  ${name(k)} taken for ${name(j)}: ${count}`)];
}
