/**
 * What was found in a data set, in lines for people.
 * @module
 */
import { count } from "../../engine/text.ts";
import type { Fault } from "./faults.ts";
import type { Duplicates, Inspection, NamedPhoto } from "./inspection.ts";

/** What each fault is called after a count, and what it means. */
const FAULTS: Readonly<Record<Fault, readonly [what: string, meaning: string]>> = {
  dark: ["dark", "nine tenths of their pixels are nearly black"],
  blurred: ["blurred", "they lack the fine detail that the others have"],
  tiny: ["tiny", "they are far smaller than the others"],
  odd: ["very long or high", "most of them is cut off, or they are squeezed"],
};

/** At most so many photos or groups of a kind are named, unless all are wanted. */
const NAMED = 10;

/** Every finding with its photos; nothing where nothing was found. */
export function inspectionLines(
  { duplicates, faults, complete }: Inspection,
  { all = false } = {},
): string[] {
  const lines: string[] = [];
  const list = (title: string, items: readonly string[]) => {
    if (items.length === 0) return;
    const shown = all ? items : items.slice(0, NAMED), rest = items.length - shown.length;
    lines.push(
      title,
      ...shown.map((item) => `  ${item}`),
      ...rest > 0 ? [`  … and ${rest} more (--all)`] : [],
    );
  };
  const [leaks, contradictions, others] = sorted(duplicates);
  list(
    `${count(heldIn(leaks), "held-out photo")} in another split, too: figures on them flatter the model`,
    leaks.map(duplicateText),
  );
  list(
    `${count(contradictions.length, "picture")} in more than one class: their labels contradict each other`,
    contradictions.map(duplicateText),
  );
  list(
    `${count(others.length, "picture")} more than once in one split and class: it counts so many times`,
    others.map(duplicateText),
  );
  if (!complete) lines.push("Too many photos look alike from afar: not all were compared closely");
  for (const [fault, photos] of Object.entries(faults) as [Fault, readonly NamedPhoto[]][]) {
    const [what, meaning] = FAULTS[fault];
    list(`${photos.length} ${what}: ${meaning}`, photos.map(({ file }) => file));
  }
  return lines;
}

/** The same in a line or two, for the beginning of a training; files that are equal byte by byte are told elsewhere then. */
export function inspectionSummary({ duplicates, faults }: Inspection): string[] {
  const near = duplicates.filter(({ exact }) => !exact), [leaks, contradictions] = sorted(near);
  const lines: string[] = [];
  const example = ([first]: readonly Duplicates[]) => first ? ` (${duplicateText(first)})` : "";
  if (leaks.length > 0) {
    const held = heldIn(leaks);
    lines.push(
      `${count(held, "held-out photo looks", "held-out photos look")} like one of another split${
        example(leaks)
      }: figures on ${held > 1 ? "them" : "it"} flatter the model`,
    );
  }
  const parts = [
    ...contradictions.length > 0
      ? [`${count(contradictions.length, "picture")} in two classes${example(contradictions)}`]
      : [],
    ...(Object.entries(faults) as [Fault, readonly NamedPhoto[]][]).flatMap(([fault, photos]) =>
      photos.length > 0
        ? [`${photos.length} ${FAULTS[fault][0]} (${photos[0]!.file}${photos.length > 1 ? ", …" : ""})`]
        : []
    ),
  ];
  if (parts.length > 0) lines.push(`among the photos are ${parts.join(", ")}`);
  if (lines.length > 0) lines[lines.length - 1] += "; deno task inspect names them all";
  return lines;
}

/** Whether anything was found. */
export function foundAny({ duplicates, faults }: Inspection): boolean {
  return duplicates.length > 0 || Object.values(faults).some(({ length }) => length > 0);
}

/** Those across splits, of the others those across classes, and the rest. */
function sorted(duplicates: readonly Duplicates[]): [Duplicates[], Duplicates[], Duplicates[]] {
  const [leaks, within] = [true, false].map((across) => duplicates.filter((d) => d.acrossSplits === across));
  return [leaks!, within!.filter((d) => d.acrossClasses), within!.filter((d) => !d.acrossClasses)];
}

function heldIn(duplicates: readonly Duplicates[]): number {
  return new Set(
    duplicates.flatMap(({ photos }) =>
      photos.filter(({ split }) => split !== "train").map(({ file }) => file)
    ),
  )
    .size;
}

/** `valid cat/1.jpg is train cat/9.jpg`, or that they look alike. */
function duplicateText({ photos, exact, acrossClasses }: Duplicates): string {
  const text = ({ file, split }: NamedPhoto) => `${file} (${split})`;
  const [first, ...others] = [...photos].sort((a, b) =>
    Number(a.split === "train") - Number(b.split === "train")
  );
  const contradiction = acrossClasses ? ", in another class" : "";
  const shown = others.slice(0, 3).map(text).join(", "), rest = others.length - 3;
  const more = rest > 0 ? ` and ${rest} more` : "";
  return `${text(first!)} ${exact ? "is" : "looks like"} ${shown}${more}${contradiction}`;
}
