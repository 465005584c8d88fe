import { assert, assertEquals, assertMatch, assertThrows } from "@std/assert";
import { findLabelIssues, labelIssueLines } from "../../../data/inspection/label_issues.ts";

Deno.test("a label is doubted where the model is as sure of another class as it is of that class's own photos", () => {
  const sure = [0.9, 0.05, 0.05], other = [0.05, 0.9, 0.05], third = [0.05, 0.05, 0.9];
  const labels = [0, 0, 0, 1, 1, 1, 2, 2, 2, 0];
  const rows = [sure, sure, sure, other, other, other, third, third, third, other];
  assertEquals(
    findLabelIssues(labels, rows).map(({ index, label, suggested }) => [index, label, suggested]),
    [[9, 0, 1]],
  );
  // Half sure is less than its own photos are.
  assertEquals(findLabelIssues(labels, rows.with(9, [0.3, 0.55, 0.15])), []);
});

Deno.test("a class that the model is never sure of is held to less", () => {
  const labels = [0, 0, 0, 0, 1, 1, 1, 1, 0];
  const rows = [[1, 0], [1, 0], [1, 0], [1, 0], [0.45, 0.55], [0.4, 0.6], [0.45, 0.55], [0.4, 0.6], [
    0.4,
    0.6,
  ]];
  assertEquals(findLabelIssues(labels, rows).map(({ index }) => index), [8]);
});

Deno.test("the surest doubts come first, and a class without a photo is suggested for none", () => {
  const labels = [0, 0, 0, 1, 1, 1];
  const rows = [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.02, 0.97, 0.01], [0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [
    0,
    0,
    1,
  ]];
  const issues = findLabelIssues(labels, rows);
  assertEquals(issues.map(({ index }) => index), [2, 1]);
  assert(issues[0]!.margin > issues[1]!.margin);
  assertEquals(findLabelIssues([], []), []);
});

Deno.test("of labels that a tenth was swapped of, nearly all are named, and few others", () => {
  let state = 1;
  const random = () => (state = Math.imul(state, 1664525) + 1013904223 >>> 0) / 2 ** 32;
  const truth = Array.from({ length: 600 }, (_, i) => i % 3);
  // A model that is right nine times out of ten, and less sure where it is not.
  const rows = truth.map((label) => {
    const right = random() < 0.9, seen = right ? label : (label + 1 + Math.floor(2 * random())) % 3;
    const best = right ? 0.7 + 0.3 * random() : 0.4 + 0.4 * random();
    return [0, 1, 2].map((k) => k === seen ? best : (1 - best) / 2);
  });
  const labels = truth.map((label, i) => i % 60 === 0 ? (label + 1) % 3 : label);
  const issues = findLabelIssues(labels, rows), swapped = issues.filter(({ index }) => index % 60 === 0);
  assert(swapped.length >= 7, `${swapped.length} of 10`);
  assert(issues.length - swapped.length <= 10, `${issues.length - swapped.length} others`);
});

Deno.test("rows that fit no label are refused", () => {
  assertThrows(() => findLabelIssues([0], []), RangeError, "1 labels and 0 rows");
  assertThrows(() => findLabelIssues([2], [[0.5, 0.5]]), RangeError, "photo 0 has label 2");
});

Deno.test("what is said of labels counts the photos that no model could judge", () => {
  const issues = [{ file: "cat/1.jpg", class: "cat", suggested: "dog", margin: 0.914 }];
  const lines = labelIssueLines({ judged: 30, trainedOn: 240, issues });
  assertMatch(lines[0]!, /^1 of 30 labels may be wrong, .*; 240 photos were trained on by every model/);
  assertEquals(lines[1], "  cat/1.jpg: cat, looks like dog (by 91 points)");
  assertEquals(labelIssueLines({ judged: 30, trainedOn: 0, issues: [] }), [
    "No label of 30 photos looks wrong",
  ]);
  const many = Array.from({ length: 25 }, () => issues[0]!);
  assertEquals(labelIssueLines({ judged: 30, trainedOn: 0, issues: many }).at(-1), "  … and 5 more (--all)");
});

Deno.test("a model that agrees with nine labels in ten need be only four fifths as sure as it usually is", () => {
  // Usually 0.9 sure; of one photo it is 0.75 sure that it is of another class.
  const sure = (k: number): number[] => [0, 1].map((j) => j === k ? 0.9 : 0.1);
  const labels = Array.from({ length: 40 }, (_, i) => i % 2);
  const rows = labels.map(sure).with(0, [0.25, 0.75]);
  assertEquals(findLabelIssues(labels, rows).map(({ index, suggested }) => [index, suggested]), [[0, 1]]);
  // One that agrees with fewer must be as sure as usual: of its own mistakes there are too many.
  const weak = rows.map((row, i) => i > 0 && i % 8 === 0 ? [0.49, 0.51] : row);
  assertEquals(findLabelIssues(labels, weak), []);
});
