import { assertEquals, assertMatch } from "@std/assert";
import { describeFailure } from "../../commands/cli/failures.ts";
import { CacheError } from "../../data/dataset/cache.ts";
import { DataError } from "../../data/dataset/listing.ts";
import { ImageError } from "../../data/image/image.ts";
import { UserError } from "../../engine/errors.ts";
import { FileWriteError } from "../../model/checkpoint/files.ts";
import { CheckpointError } from "../../model/checkpoint/checkpoint.ts";
import { DivergedError } from "../../training/run/progress.ts";

Deno.test("what a person can put right is one line, without a stack", () => {
  const errors = [
    ...[new UserError("no"), new DataError("no"), new CacheError("no"), new ImageError("corrupt", "no")],
    ...[new FileWriteError("no"), new CheckpointError("no"), new DivergedError("no")],
    new Deno.errors.NotFound("no"),
  ];
  for (const error of errors) assertEquals(describeFailure("train", error), "train: no", error.name);
});

Deno.test("a name in a message does not act on the terminal, and lines of its own stay", () => {
  assertEquals(describeFailure("train", new UserError("no \x1b[2J\nthen")), "train: no \\x1b[2J\nthen");
});

Deno.test("a fault of the program keeps its stack, a RangeError too", () => {
  for (const error of [new RangeError("Invalid array length"), new TypeError("no"), new Error("no")]) {
    assertMatch(describeFailure("train", error), /^train: \w*Error: .*\n +at .*failures_test\.ts/);
  }
});
