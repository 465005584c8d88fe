/**
 * Figures as tables: classes, the confusion matrix, calibration.
 * @module
 */
import type { Calibration, UnknownRule } from "../model/checkpoint/card.ts";
import { reliabilityChart } from "./charts.ts";
import type { Figures } from "./figures.ts";
import { PAGE } from "./look.ts";
import { fact, type Html, html, markup, percent, scrolling, share } from "./markup.ts";

/** Rows of the table of classes at most; those recognised least. */
const CLASSES = 200;

/** Classes of a confusion matrix that is shown whole; of more, the pairs that are mixed up most. */
const MATRIX = 30;

/** Pairs that are told. */
const PAIRS = 20;

/** What the figures say in all. */
export function summaryOf(figures: Figures, split: string): Html {
  const { n, accuracy, balancedAccuracy, macroF1, macroAuc, loss, top, reliability } = figures;
  return html`
    <p class="quiet">The best checkpoint on ${n.toLocaleString(
      "en",
    )} ${split} photos. Small numbers are 95 % intervals:
        with other photos of the same kind the figure would lie there.</p>
    <dl class="facts">${[
      fact("Accuracy", share(accuracy)),
      fact("Balanced accuracy", percent(balancedAccuracy)),
      fact("Mean F1", percent(macroF1)),
      fact("Mean ROC AUC", macroAuc === undefined ? "–" : macroAuc.toFixed(3)),
      fact("Loss", loss.toFixed(4)),
      ...top.map((among) => fact(`Top ${among.k}`, share(among))),
      fact("Calibration error", percent(reliability.ece)),
    ]}</dl>
  `;
}

/** Precision, recall, F1, support and AUC of each class. */
export function classTable({ perClass }: Figures): Html {
  const shown = perClass.length <= CLASSES
    ? perClass
    : perClass.toSorted((a, b) => (a.recall.value ?? 2) - (b.recall.value ?? 2)).slice(0, CLASSES);
  const table = html`
    <table class="figures">
      <thead>
        <tr>
          <th scope="col">Class</th>
          <th scope="col">Photos</th>
          <th scope="col">Precision</th>
          <th scope="col">Recall</th>
          <th scope="col">F1</th>
          <th scope="col">ROC AUC</th>
        </tr>
      </thead>
      <tbody>${shown.map(({ class: name, n, precision, recall, f1, auc }) =>
        html`
          <tr>
            <th scope="row">${name}</th>
            <td>${n.toLocaleString("en")}</td>
            <td>${share(precision)}</td>
            <td>${share(recall)}</td>
            <td>${percent(f1)}</td>
            <td>${auc.value === undefined ? "–" : auc.value.toFixed(3)}${auc.interval
              ? html`
                <small>${auc.interval.low.toFixed(3)}–${auc.interval.high.toFixed(3)}</small>
              `
              : ""}</td>
          </tr>
        `
      )}</tbody>
    </table>
  `;
  const left = perClass.length - shown.length;
  return html`${scrolling("Figures of each class", table)}${
    left > 0 ? html`<p class="quiet">The ${CLASSES} recognised least; ${left} more are left out.</p>` : ""
  }`;
}

/** A confusion matrix, counts and shares of the true class; of many classes the pairs that are mixed up most. */
export function confusionTable(
  { confusion, classes }: { confusion: readonly (readonly number[])[]; classes: readonly string[] },
): Html {
  if (classes.length > MATRIX) return mixedUp(confusion, classes);
  const table = html`
    <table class="confusion">
      <thead>
        <tr><td></td>${classes.map((name) => html`<th scope="col"><span>${name}</span></th>`)}</tr>
      </thead>
      <tbody>${confusion.map((row, k) => {
        const sum = row.reduce((a, b) => a + b, 0);
        return html`<tr><th scope="row">${classes[k]}</th>${
          row.map((count, j) => {
            const part = sum > 0 ? count / sum : 0;
            return html`<td class="${k === j ? "right" : "wrong"} heat-${
              Math.round(part * 10)
            }">${count}<small>${sum > 0 ? `${Math.round(100 * part)} %` : ""}</small></td>`;
          })
        }</tr>`;
      })}</tbody>
    </table>
  `;
  return html`
    <p
      class="quiet">Rows are true classes, columns what the photos were taken for: how many, and their share of the row.</p>${scrolling(
        "Counts and shares",
        table,
      )}
  `;
}

function mixedUp(confusion: readonly (readonly number[])[], classes: readonly string[]): Html {
  const pairs = confusion.flatMap((row, k) => {
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((count, j) => ({ k, j, count, share: count / sum }));
  }).filter(({ k, j, count }) => k !== j && count > 0).sort((a, b) => b.count - a.count).slice(0, PAIRS);
  return html`
    <p
      class="quiet">${classes.length} classes are too many for a table; the ${pairs
        .length} pairs mixed up most:</p>${scrolling(
          "Classes mixed up most",
          html`
            <table class="figures">
              <thead>
                <tr>
                  <th scope="col">Class</th>
                  <th scope="col">Taken for</th>
                  <th scope="col">Photos</th>
                  <th scope="col">Share of the class</th>
                </tr>
              </thead>
              <tbody>${pairs.map(({ k, j, count, share }) =>
                html`
                  <tr>
                    <th scope="row">${classes[k]}</th>
                    <td>${classes[j]}</td>
                    <td>${count}</td>
                    <td>${percent(share)}</td>
                  </tr>
                `
              )}</tbody>
            </table>
          `,
        )}
  `;
}

/** Figures with a temperature, and how it was chosen. */
export interface Scaled {
  readonly figures: Figures;
  readonly calibration: Calibration;
}

/** How confidences fit, with a temperature what it brought, and when no class is named. */
export function calibrationFigure(
  figures: Figures,
  split: string,
  scaled: Scaled | undefined,
  unknown: UnknownRule | undefined,
): Html {
  const chart = ({ reliability }: Figures, title: string) => {
    const said = `${title}: expected calibration error ${percent(reliability.ece)}`;
    return html`<figure><figcaption><strong>${title}</strong> error ${percent(reliability.ece)}</figcaption>${
      markup(reliabilityChart(reliability, said, PAGE))
    }</figure>`;
  };
  const chosen = scaled && split === "validation"
    ? html`
      The temperature was chosen on these very photos; where each is measured at one that was chosen without it, the error is ${percent(
        scaled.calibration.eceAfter,
      )}.
    `
    : "";
  const refuses = unknown
    ? html`
      <p
        class="quiet">A photo that is like none of the classes is called unknown; the threshold was chosen so that at most ${percent(
          unknown.falseRefusals,
        )} of ${unknown.photos} validation photos were.</p>
    `
    : "";
  const about =
    "Bars: how often answers of that confidence are right; fainter ones rest on fewer photos. On the dashed line a classifier is as " +
    "often right as it says. The error is their mean distance (ECE, 15 bins).";
  return html`<p class="quiet">${about}${chosen}</p><div class="charts">${
    scaled
      ? [
        chart(figures, "As the network says"),
        chart(scaled.figures, `With temperature ${scaled.calibration.temperature.toFixed(2)}`),
      ]
      : chart(figures, "Reliability")
  }</div>${refuses}`;
}
