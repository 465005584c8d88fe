import { assertEquals } from "@std/assert";
import { printable } from "../../engine/text.ts";

Deno.test("what a terminal would act on is printed as an escape, and all else as it is", () => {
  assertEquals(printable("a\x1b[2J\nb\tc\x7f\u009b\u202e.jpg"), "a\\x1b[2J\\nb\\tc\\x7f\\x9b\\u202e.jpg");
  const plain = "Größe 猫 👩‍👩‍👧 é 'a\\b'";
  assertEquals(printable(plain), plain);
});
