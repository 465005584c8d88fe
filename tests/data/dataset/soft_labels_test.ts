import { assertEquals, assertThrows } from "@std/assert";
import { certainClass, matchSoftLabels, parseSoftLabels } from "../../../data/dataset/soft_labels.ts";
import { DataError } from "../../../data/dataset/folder.ts";

const classes = ["bird", "dog"];
const parse = (text: string) => parseSoftLabels(text, classes, "SOFT.csv");
const photo = (name: string, file: string) => ({ path: `data/${name}/${file}`, label: 0, class: name, file });

Deno.test("a table of soft labels names its classes in any order, and rows are made to add up to 1", () => {
  const table = parse('\uFEFFfile, dog, bird\nbird\\a.jpg,0.25,0.75\n"b, c.jpg",0.499,0.5\n');
  assertEquals([...table.keys()], ["bird/a.jpg", "b, c.jpg"]);
  assertEquals(table.get("bird/a.jpg"), Float32Array.of(0.75, 0.25));
  assertEquals(table.get("b, c.jpg"), Float32Array.of(0.5 / 0.999, 0.499 / 0.999));
});

for (
  const [what, text, message] of [
    ["no header", "a.jpg,0,1\n", 'line 1 is "a.jpg,0,1", wanted "file" and each class once: file, bird, dog'],
    ["a class that is not there", "file,bird,cat\n", 'line 1 is "file,bird,cat"'],
    ["a class too few", "file,bird\n", 'line 1 is "file,bird"'],
    ["a class twice", "file,bird,dog,dog\n", 'line 1 is "file,bird,dog,dog"'],
    ["a cell too few", "file,bird,dog\na.jpg,1\n", "line 2 has 2 cells, wanted 3"],
    ["an empty cell", "file,bird,dog\na.jpg,1,\n", "line 2 (a.jpg) has 1, NaN, wanted probabilities"],
    ["a word", "file,bird,dog\na.jpg,1,none\n", "line 2 (a.jpg) has 1, NaN"],
    ["a negative number", "file,bird,dog\na.jpg,1.2,-0.2\n", "line 2 (a.jpg) has 1.2, -0.2"],
    ["a row that is no distribution", "file,bird,dog\na.jpg,0.5,0.2\n", "line 2 (a.jpg) adds up to 0.7"],
    ["a photo twice", "file,bird,dog\na.jpg,1,0\na.jpg,0,1\n", "line 3 names a.jpg again"],
    ["no row", "file,bird,dog\n", "it names no photo"],
  ] as const
) {
  Deno.test(`a table of soft labels with ${what} is refused by its line`, () => {
    assertThrows(() => parse(text), DataError, `Cannot use SOFT.csv: ${message}`);
  });
}

Deno.test("a table names photos by their path, by class and file, or by the file where one photo has that name", () => {
  const table = parse(
    "file,bird,dog\nbird/a.jpg,0.9,0.1\ntrain/dog/b.jpg,0.2,0.8\nc.jpg,0.6,0.4\na.jpg,0,1\n",
  );
  const photos = [
    photo("bird", "a.jpg"),
    { ...photo("dog", "b.jpg"), path: "data/train/dog/b.jpg" },
    photo("bird", "c.jpg"),
    photo("dog", "a.jpg"),
  ];
  const { labels, unused } = matchSoftLabels(table, "data", photos);
  const rows = labels.map((label) => label && [...label]);
  assertEquals(rows, [
    [...Float32Array.of(0.9, 0.1)],
    [...Float32Array.of(0.2, 0.8)],
    [...Float32Array.of(0.6, 0.4)],
    undefined,
  ]);
  assertEquals(unused, ["a.jpg"]);
});

Deno.test("a label is certain where one class has all of it", () => {
  assertEquals(certainClass(Float32Array.of(0, 1, 0)), 1);
  assertEquals(certainClass(Float32Array.of(0.5, 0.5)), undefined);
  assertEquals(certainClass(Float32Array.of(0.999, 0.001)), undefined);
});
