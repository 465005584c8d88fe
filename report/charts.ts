/**
 * Charts as SVG, drawn by Observable Plot without a browser.
 * @module
 */
import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import type { Reliability } from "./figures.ts";
import { DASHES, type Look, SERIES } from "./look.ts";

/** What Plot draws into. */
const { document } = parseHTML("<html></html>") as unknown as {
  document: NonNullable<Plot.PlotOptions["document"]>;
};

/** A line of a chart. */
export interface Series {
  readonly name: string;
  /** Where it goes; what is not finite is left out. */
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Its place among the colours. */
  readonly colour: number;
  /** Fainter and thinner than others: what another line sums up. */
  readonly faint?: boolean;
}

/** A chart of lines. */
export interface LineChart {
  /** What it shows, for people who cannot see it. */
  readonly label: string;
  readonly series: readonly Series[];
  /** What the horizontal axis counts. */
  readonly x: string;
  /** Whether equal steps of the horizontal axis are equal factors. */
  readonly logarithmic?: boolean;
  /** Shares, 0 to 1, told in percent. */
  readonly percent?: boolean;
  /** The lowest and highest value shown; default: what there is, from 0 on. */
  readonly domain?: readonly [number, number];
}

/** Pixels of a chart: on a phone as wide as it, so that its letters stay as large as they are. */
const WIDTH = 352, HEIGHT = 220;

/** A chart's frame with these marks. */
function plot(options: Plot.PlotOptions, label: string, { font, size }: Look): string {
  const chart = Plot.plot({
    document,
    width: WIDTH,
    height: HEIGHT,
    marginLeft: 48,
    marginRight: 12,
    marginTop: 12,
    marginBottom: 38,
    style: { fontFamily: font, fontSize: `${size}px`, background: "none", overflow: "visible" },
    ...options,
  });
  chart.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", label);
  for (const part of chart.querySelectorAll("[aria-label]")) part.removeAttribute("aria-label");
  return chart.outerHTML;
}

/** Lines over a run. */
export function lineChart(
  { label, series, x, logarithmic = false, percent = false, domain }: LineChart,
  look: Look,
): string {
  const lines = series.map((line) => ({
    ...line,
    points: line.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)),
  }));
  const ys = lines.flatMap(({ points }) => points.map(([, y]) => y));
  const top = Math.max(...ys, 0),
    left = Math.min(0, ...lines.flatMap(({ points }) => points.map(([x]) => x)));
  return plot(
    {
      x: {
        ...{ label: x, labelArrow: "none", labelAnchor: "center", ticks: 6 },
        ...logarithmic
          ? { type: "log", tickFormat: (value: number) => shortNumber(value) }
          : { zero: left === 0 },
      },
      y: {
        label: null,
        grid: true,
        nice: true,
        ticks: 5,
        domain: domain ?? [0, percent ? 1 : top > 0 ? top : 1],
        tickFormat: percent ? (y: number) => `${Math.round(100 * y)} %` : (y: number) => shortNumber(y),
      },
      marks: lines.flatMap(({ points, colour, faint }) => {
        const stroke = look.series[colour % SERIES]!;
        const dash = DASHES[Math.floor(colour / SERIES) % DASHES.length]!;
        const style = {
          stroke,
          strokeWidth: faint ? 1 : 2,
          strokeOpacity: faint ? 0.55 : 1,
          strokeDasharray: dash,
          clip: true,
        };
        return points.length === 1
          ? [Plot.dot(points, { x: "0", y: "1", fill: stroke, r: 3 })]
          : [Plot.line(points, { x: "0", y: "1", ...style })];
      }),
    },
    label,
    look,
  );
}

/** Such as 0.25, 3,000 or 2e-4, no longer than needed. */
export function shortNumber(value: number): string {
  if (value !== 0 && Math.abs(value) < 1e-3) return value.toExponential(0);
  return Number(value.toPrecision(3)).toLocaleString("en", { maximumFractionDigits: 4 });
}

/** How often answers of a confidence are right, and the line on which a calibrated classifier lies. */
export function reliabilityChart({ bins }: Reliability, label: string, look: Look): string {
  const filled = bins.filter(({ n }) => n > 0);
  const most = Math.max(...filled.map(({ n }) => n));
  const percent = (share: number) => `${Math.round(100 * share)} %`;
  return plot(
    {
      x: {
        domain: [0, 1],
        label: "confidence",
        labelArrow: "none",
        labelAnchor: "center",
        ticks: 5,
        tickFormat: percent,
      },
      y: { domain: [0, 1], label: null, grid: true, ticks: 5, tickFormat: percent },
      marks: [
        Plot.rect(filled, {
          ...{ x1: "low", x2: "high", y1: 0, y2: "accuracy", fill: look.fill, insetLeft: 0.5 },
          // Bins of few answers say little.
          fillOpacity: (bin: { n: number }) => 0.25 + 0.65 * Math.sqrt(bin.n / most),
        }),
        Plot.line([[0, 0], [1, 1]], { stroke: look.quiet, strokeDasharray: "4 3" }),
        Plot.dot(filled, { x: "confidence", y: "accuracy", r: 2.5, fill: "currentColor" }),
      ],
    },
    label,
    look,
  );
}

/** A confusion matrix as a picture: a row for each class, shares of it as cells, with their counts where they are few enough. */
export function confusionChart(
  confusion: readonly (readonly number[])[],
  classes: readonly string[],
  look: Look,
): string {
  const cells = confusion.flatMap((row, k) => {
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((count, j) => ({ k, j, count, share: sum > 0 ? count / sum : 0 }));
  });
  const named = classes.length <= 40, side = Math.max(12, Math.min(72, 900 / classes.length));
  const name = (k: number) => classes[k]!.length > 18 ? `${classes[k]!.slice(0, 17)}…` : classes[k]!;
  const room = named ? 24 + 7.5 * Math.max(...classes.map((_, k) => name(k).length)) : 30;
  const extent = side * classes.length;
  return plot(
    {
      ...{ width: extent + room + 20, height: extent + room + 30 },
      ...{ marginLeft: room, marginBottom: room, marginTop: 20, marginRight: 20 },
      x: {
        type: "band",
        label: "predicted",
        labelArrow: "none",
        labelAnchor: "center",
        tickRotate: named ? -60 : 0,
        ...named ? { tickFormat: name } : { ticks: [], axis: null },
      },
      y: { type: "band", label: "true", ...named ? { tickFormat: name } : { ticks: [], axis: null } },
      marks: [
        Plot.cell(cells, { x: "j", y: "k", fill: look.fill, fillOpacity: "share", inset: 0.5 }),
        ...classes.length <= 20
          ? [Plot.text(cells, {
            ...{
              x: "j",
              y: "k",
              text: (cell: { count: number; share: number }) =>
                cell.count === 0 ? "" : `${cell.count}\n${Math.round(100 * cell.share)} %`,
            },
            fill: (cell: { share: number }) => cell.share > 0.75 ? "white" : "#201a17",
          })]
          : [],
      ],
    },
    "Confusion matrix",
    look,
  );
}
