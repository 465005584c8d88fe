/** Shows what a model says about itself. */

const $ = (id) => document.getElementById(id);
const percent = (value) => `${(value * 100).toFixed(1)} %`;
const LARGEST_TABLE = 20;

/** Fills the card's section; `element` makes DOM elements. */
export function showCard(card, element) {
  const { training = {}, preprocess, classes, calibration, unknown } = card;
  $("card-title").textContent = card.name;
  const facts = {
    "Architecture": card.model,
    "Parameters": card.parameters.toLocaleString("en"),
    "Input": `${preprocess.width} × ${preprocess.height}, ${
      preprocess.resize === "crop" ? "centre crop" : "stretched"
    }`,
    "Classes": summary(classes),
    "Accuracy": training.validationAccuracy === undefined
      ? undefined
      : `${percent(training.validationAccuracy)} in validation`,
    "Calibrated": calibration &&
      `temperature ${calibration.temperature.toFixed(2)}, on ${calibration.photos} validation photos`,
    "Unknown": unknown && `what is less familiar than ${percent(1 - unknown.falseRefusals)} of those`,
    "Trained": training.epoch === undefined
      ? undefined
      : `${training.epoch} epochs${training.run ? `, run ${training.run}` : ""}`,
    "Version": card.version,
    "Runs on": card.adapter,
    "Loaded": card.loadedAt && new Date(card.loadedAt).toLocaleString(),
  };
  const rows = Object.entries(facts).filter(([, value]) => value !== undefined);
  $("facts").replaceChildren(...rows.flatMap(([term, value]) => [
    element("dt", { textContent: term }),
    element("dd", { textContent: value }),
  ]));
  const { confusion } = training;
  $("confusion").replaceChildren(
    ...confusion?.length === classes.length ? [confusionTable(classes, confusion, element)] : [],
  );
  $("card").hidden = false;
}

/** Which classes are taken for which: a table, or for many classes the pairs that are mixed up most. */
export function confusionTable(classes, confusion, element) {
  return classes.length <= LARGEST_TABLE
    ? table(classes, confusion, element)
    : list(classes, confusion, element);
}

function summary(classes) {
  const shown = classes.slice(0, 8).join(", ");
  return classes.length > 8 ? `${classes.length}: ${shown}, …` : shown;
}

function table(classes, confusion, element) {
  const head = element(
    "tr",
    {},
    element("td", { className: "corner" }),
    ...classes.map((name) => element("th", { scope: "col", textContent: name })),
  );
  const rows = confusion.map((counts, k) => {
    const total = counts.reduce((a, b) => a + b, 0);
    const cells = counts.map((count, j) => {
      const share = total === 0 ? 0 : count / total;
      const cell = element("td", {
        textContent: count,
        title: `${percent(share)} of ${classes[k]} taken for ${classes[j]}`,
      });
      cell.dataset.level = share === 0 ? 0 : share < 0.1 ? 1 : share < 0.4 ? 2 : share < 0.7 ? 3 : 4;
      return cell;
    });
    return element("tr", {}, element("th", { scope: "row", textContent: classes[k] }), ...cells);
  });
  const caption = element("figcaption", {
    id: "confusion-caption",
    textContent: "Validation photos: the rows are the true classes, the columns what the network said.",
  });
  const made = element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  made.setAttribute("aria-labelledby", caption.id);
  return element("figure", {}, caption, made);
}

/** Too many classes for a table: the pairs that are mixed up most. */
function list(classes, confusion, element) {
  const pairs = confusion.flatMap((counts, k) => counts.map((count, j) => ({ count, k, j })))
    .filter(({ count, k, j }) => k !== j && count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, 10);
  const items = pairs.map(({ count, k, j }) =>
    element("li", { textContent: `${classes[k]} taken for ${classes[j]}: ${count}` })
  );
  return element(
    "div",
    {},
    element("p", { className: "quiet", textContent: "Mixed up most" }),
    element("ol", {}, ...items),
  );
}
