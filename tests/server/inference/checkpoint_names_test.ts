import { assertEquals, assertThrows } from "@std/assert";
import {
  isModelName,
  parseSource,
  requireDistinct,
  validName,
} from "../../../server/inference/checkpoint_file.ts";

Deno.test("a model is called as its run or file is, made valid, unless somebody names it", () => {
  for (
    const [path, name] of [
      ["runs/o odd/best.safetensors", "o_odd"],
      ["runs/five/last.safetensors", "five"],
      ["runs/five/epoch 3.safetensors", "epoch_3"],
      ["best.safetensors", "best"],
      ["/best.safetensors", "best"],
      ["runs/äö/best.safetensors", "best"],
      ["runs/.hidden/best.safetensors", "hidden"],
      [`runs/${"long".repeat(40)}/best.safetensors`, "long".repeat(32)],
      ["ÄÖ.safetensors", "model"],
    ] as const
  ) assertEquals(parseSource(path), { name, path, named: false });
  assertEquals(parseSource("m=a/best.safetensors", "n"), {
    ...{ name: "m", path: "a/best.safetensors", named: true },
  });
  assertEquals(parseSource("a/best.safetensors", "n").name, "n");
  assertEquals([" a", "a b", "", "ok"].map((text) => isModelName(validName(text))), [
    true,
    true,
    false,
    true,
  ]);
});

Deno.test("two checkpoints share a name only where somebody gave it to both", () => {
  const refused = (...texts: string[]) =>
    assertThrows(() => requireDistinct(texts.map((text) => parseSource(text))), Error).message;
  assertEquals(
    refused("x/five/best.safetensors", "y/five/best.safetensors"),
    "Cannot serve x/five/best.safetensors and y/five/best.safetensors both as five: give each a name, as in " +
      "--checkpoint NAME=PATH, or both the same one if they are versions of one model",
  );
  refused("five=x/best.safetensors", "y/five/best.safetensors");
  assertEquals(
    refused("m=x/best.safetensors", "m=x/best.safetensors"),
    "Cannot serve x/best.safetensors twice as m: one is enough",
  );
  requireDistinct(
    ["m=x/best.safetensors", "m=y/best.safetensors", "z/best.safetensors"].map((t) => parseSource(t)),
  );
  requireDistinct([parseSource("m=x/best.safetensors"), parseSource("n=x/best.safetensors")]);
});
