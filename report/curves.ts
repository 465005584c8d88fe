/**
 * Curves of runs: loss, accuracy, learning rate, throughput.
 * @module
 */
import { type LineChart, lineChart, type Series } from "./charts.ts";
import type { RunLog } from "./event_log.ts";
import { type Look, PAGE, SERIES } from "./look.ts";
import { type Html, html, markup } from "./markup.ts";

/** A chart with its title. */
export interface TitledChart extends LineChart {
  readonly title: string;
}

/** Points of a line at most: more cannot be seen. */
const POINTS = 240;

/** The curves of one run; empty before there is anything to draw. */
export function runCurves({ starts, steps, epochs }: RunLog): TitledChart[] {
  if (steps.length + epochs.length === 0) return [];
  const perEpoch = stepsOfEpoch({ starts, epochs });
  const at = (step: number) => step / perEpoch;
  const readings = (of: (step: typeof steps[number]) => number | null): Series["points"] =>
    thinned(steps.map((s) => [at(s.step), of(s) ?? NaN]));
  const ends = (of: (epoch: typeof epochs[number]) => number | null | undefined): Series["points"] =>
    thinned(epochs.map((e) => [at(e.step), of(e) ?? NaN]));
  const chart = (
    title: string,
    series: readonly Series[],
    rest: Partial<LineChart> = {},
  ): TitledChart[] => {
    const drawn = series.filter(({ points }) => points.some(([, y]) => Number.isFinite(y)));
    if (drawn.length === 0) return [];
    return [{
      title,
      label: `${title} over the epochs: ${drawn.map(told).join("; ")}`,
      series: drawn,
      x: "epoch",
      ...rest,
    }];
  };
  return [
    ...chart("Loss", [
      { name: "training", points: readings((s) => s.loss), colour: 0, faint: epochs.length > 1 },
      { name: "training, by epoch", points: ends((e) => e.trainLoss), colour: 0 },
      { name: "validation", points: ends((e) => e.valid?.loss), colour: 1 },
    ]),
    ...chart("Accuracy", [
      { name: "training", points: readings((s) => s.accuracy), colour: 0, faint: epochs.length > 1 },
      { name: "training, by epoch", points: ends((e) => e.trainAccuracy), colour: 0 },
      { name: "validation", points: ends((e) => e.valid?.accuracy), colour: 1 },
    ], { percent: true }),
    ...chart("Distance from soft targets, nats", [
      { name: "cross-entropy", points: ends((e) => e.targets?.crossEntropy), colour: 0 },
      { name: "KL divergence", points: ends((e) => e.targets?.divergence), colour: 1 },
      { name: "the targets' entropy", points: ends((e) => e.targets?.entropy), colour: 2 },
    ]),
    ...chart("Learning rate", [{ name: "learning rate", points: readings((s) => s.lr), colour: 0 }]),
    ...chart("Images per second", [
      { name: "images per second", points: readings((s) => s.imagesPerSecond), colour: 0 },
    ]),
  ];
}

/** The curves of several runs together, a colour for each. */
export function comparedCurves(
  runs: readonly { readonly name: string; readonly log: RunLog }[],
): TitledChart[] {
  const chart = (
    title: string,
    of: (log: RunLog, at: (step: number) => number) => Series["points"],
    rest: Partial<LineChart> = {},
  ): TitledChart[] => {
    const series = runs.map(({ name, log }, colour): Series => {
      const perEpoch = stepsOfEpoch(log);
      return { name, colour, points: thinned(of(log, (step) => step / perEpoch)) };
    }).filter(({ points }) => points.some(([, y]) => Number.isFinite(y)));
    if (series.length === 0) return [];
    return [{
      title,
      label: `${title} over the epochs: ${series.map(told).join("; ")}`,
      series,
      x: "epoch",
      ...rest,
    }];
  };
  return [
    ...chart("Validation loss", (log, at) => log.epochs.map((e) => [at(e.step), e.valid?.loss ?? NaN])),
    ...chart(
      "Validation accuracy",
      (log, at) => log.epochs.map((e) => [at(e.step), e.valid?.accuracy ?? NaN]),
      { percent: true },
    ),
    ...chart("Training loss", (log, at) => log.epochs.map((e) => [at(e.step), e.trainLoss])),
    ...chart("Learning rate", (log, at) => log.steps.map((s) => [at(s.step), s.lr])),
  ];
}

function stepsOfEpoch({ starts, epochs }: Pick<RunLog, "starts" | "epochs">): number {
  const [first] = epochs, start = starts.at(-1);
  if (first) return first.step / first.epoch;
  return start ? start.steps / start.epochs : 1;
}

/** What a line does, for people who cannot see it. */
function told({ name, points }: Series): string {
  const known = points.filter(([, y]) => Number.isFinite(y));
  const say = (y: number) => Number(y.toPrecision(3));
  return `${name} from ${say(known[0]![1])} to ${say(known.at(-1)![1])}`;
}

/** At most `POINTS` points, each the mean of those in its part of the line. */
function thinned(points: Series["points"]): Series["points"] {
  if (points.length <= POINTS) return points;
  return Array.from({ length: POINTS }, (_, k) => {
    const part = points.slice(
      Math.floor(k * points.length / POINTS),
      Math.floor((k + 1) * points.length / POINTS),
    ).filter(([, y]) => Number.isFinite(y));
    const mean = (i: 0 | 1) => part.reduce((sum, point) => sum + point[i], 0) / part.length;
    return [mean(0), mean(1)] as const;
  });
}

/** What the lines of a chart are, without those that another one sums up. */
export function keysOf({ series }: LineChart, look: Look): { name: string; colour: string; index: number }[] {
  const solid = series.filter(({ faint }) => !faint);
  return solid.map(({ name, colour }) => ({
    name: name.replace(", by epoch", ""),
    colour: look.series[colour % SERIES]!,
    index: colour,
  }));
}

/** Charts beside each other, each with its title and what its lines are. */
export function chartFigures(charts: readonly TitledChart[]): Html {
  return html`<div class="charts">${
    charts.map((chart) => {
      const keys = keysOf(chart, PAGE);
      return html`<figure><figcaption><strong>${chart.title}</strong>${
        keys.length > 1
          ? keys.map(({ name, index }) =>
            html`
              <span class="key"><span class="swatch series-${index % SERIES +
                1} dash-${Math.floor(index / SERIES) % 4}"></span>${name}</span>
            `
          )
          : ""
      }</figcaption>${markup(lineChart(chart, PAGE))}</figure>`;
    })
  }</div>`;
}
