import { assertEquals, assertMatch } from "@std/assert";
import { nameList } from "../../../data/dataset/names.ts";

Deno.test("a list of names is whole where it fits, and else as long as it may be, the rest counted", () => {
  assertEquals(nameList(["cat", "dog", "a, b"], 40), 'cat, dog, "a, b"');
  assertEquals(nameList(["cat", "dog"], 3), "cat, dog");
  const names = Array.from({ length: 120 }, (_, i) => `class ${i}`);
  assertEquals(nameList(names, 42), "class 0, class 1, class 2, … and 117 more");
  assertEquals(nameList(names, 1), "class 0, … and 119 more");
  for (let width = 30; width < 90; width++) {
    const text = nameList(names, width), [, rest] = /and (\d+) more/.exec(text)!;
    assertEquals(text.length <= width, true, text);
    assertEquals(text.split(", ").length - 1 + Number(rest), 120);
  }
  assertMatch(nameList(names), /^.{85,100}$/);
  assertEquals(nameList(names, Infinity).split(", ").length, 120);
});
