import { assert, assertEquals, assertMatch } from "@std/assert";
import { shellWord } from "../../training/run/next_commands.ts";
import { testNeeding } from "../permissions.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { evaluationText, jsonReporter, textReporter } from "../../training/run/reporter.ts";

const step = (n: number): RunEvent => ({
  event: "step",
  epoch: 1,
  step: n,
  steps: 100,
  loss: 0.5,
  accuracy: 0.75,
  lr: 0.1,
  imagesPerSecond: 123.4,
  secondsLeft: 65,
  deviceBytes: 0,
});

Deno.test("an unknown rate is left out of lines and null in JSON, and nothing is left after the last step", () => {
  const first = { ...step(1), imagesPerSecond: null, secondsLeft: null } as RunEvent;
  assert(linesOf(first)[0]!.endsWith(" 1/100  epoch 1  loss 0.5000  accuracy 75.0 %"));
  const last = { ...step(100), secondsLeft: 0 } as RunEvent;
  assert(linesOf(last)[0]!.endsWith("accuracy 75.0 %  123 images/s"));
  let line = "";
  jsonReporter((text) => line = text)(first);
  assertEquals([JSON.parse(line).imagesPerSecond, JSON.parse(line).secondsLeft], [null, null]);
  const epoch: RunEvent = {
    ...{ event: "epoch", epoch: 1, step: 1, trainLoss: 1, trainAccuracy: 0.5, valid: undefined },
    ...{ best: false, imagesPerSecond: null },
  };
  assertEquals(linesOf(epoch), ["Epoch 1  training loss 1.0000, accuracy 50.0 %  no validation split"]);
});

Deno.test("off a terminal, step lines come at most every ten seconds and hold no control characters", () => {
  let text = "", clock = 0;
  const report = textReporter((t) => text += t, { terminal: false, now: () => clock });
  for (let i = 1; i <= 30; i++, clock += 1000) report(step(i));
  const lines = text.trim().split("\n");
  assertEquals(lines.length, 3);
  assert(lines[0]!.includes("loss 0.5000  accuracy 75.0 %  123 images/s  1m 5s left"));
  assert(!text.includes("\r") && !text.includes("\x1b"));
});

Deno.test("on a terminal the step line is rewritten and never wider than the terminal", () => {
  let text = "";
  const report = textReporter((t) => text += t, { terminal: true, columns: 40 });
  report(step(1));
  report(step(2));
  report({ event: "note", text: "A note." });
  const parts = text.split("\r\x1b[K").slice(1);
  assertEquals(parts.length, 3);
  assert(parts.every((part) => part.trimEnd().length < 40));
  assertEquals(parts[2], "A note.\n");
});

Deno.test("a line that is wider than the terminal goes on under itself, off a terminal it is left whole", () => {
  const epoch: RunEvent = {
    ...{
      event: "epoch",
      epoch: 12,
      step: 1,
      trainLoss: 1,
      trainAccuracy: 0.5,
      best: true,
      imagesPerSecond: 8,
    },
    valid: { n: 8, accuracy: 0.5, balancedAccuracy: 0.5, loss: 1.25, perClass: [], confusion: [] },
  };
  const tell = (terminal: boolean) => {
    let text = "";
    textReporter((t) => text += t, { terminal, columns: 80 })(epoch);
    return text.trimEnd().split("\n");
  };
  assertEquals(tell(true), [
    "Epoch 12  training loss 1.0000, accuracy 50.0 %  validation loss 1.2500,",
    "          accuracy 50.0 % (best)  8 images/s",
  ]);
  assertEquals(tell(false).length, 1);
  let text = "";
  const chosen = Array.from(
    { length: 9 },
    () => ({ option: "lr" as const, value: 1, text: "learning rate 1" }),
  );
  const report = textReporter((t) => text += t, { terminal: true, columns: 80 });
  report({ ...started(["cat"]), chosen } as RunEvent);
  assert(text.split("\n").every((line) => line.length < 80), text);
  assertMatch(text, /^Chosen {4}learning rate 1, .*\n {10}\w/m);
});

Deno.test("a terminal that is too narrow is shown whole fields and whole words, whatever its width", () => {
  const fields = ["1/100", "epoch 1", "loss 0.5000", "accuracy 75.0 %", "123 images/s", "1m 5s left"];
  const whole: RunEvent = { event: "progress", what: "Decoding image", done: 12, total: 345 };
  for (let columns = 1; columns <= 120; columns++) {
    let text = "";
    const report = textReporter((t) => text += t, { terminal: true, columns });
    report(step(1));
    const shown = text.slice("\r\x1b[K".length);
    const parts = shown.replace(/[█░]+/, "").trim().split("  ").filter((part) => part !== "");
    assertEquals(parts, fields.slice(0, parts.length));
    assert(shown.length < columns, `${columns}: ${shown}`);
    if (columns > 90) assertEquals(parts.length, fields.length);
    text = "";
    report(whole);
    const words = text.slice("\r\x1b[K".length).split(" ").filter((word) => word !== "");
    assertEquals(words, "Decoding image 12 of 345".split(" ").slice(0, words.length));
  }
});

const end = (folder: string, rest: Partial<Extract<RunEvent, { event: "end" }>> = {}): RunEvent => ({
  event: "end",
  stopped: false,
  ...{ epoch: 2, step: 13, steps: 300 },
  seconds: 61,
  split: "none",
  result: undefined,
  trainedBefore: 0,
  best: `${folder}/best.safetensors`,
  last: `${folder}/last.safetensors`,
  ...rest,
});

function linesOf(event: RunEvent): string[] {
  let text = "";
  textReporter((t) => text += t, { terminal: false })(event);
  return text.trimEnd().split("\n");
}

Deno.test("a run ends with the next three commands, its own paths in them", () => {
  assertEquals(linesOf(end("runs/mine")).slice(-4), [
    "Next",
    "  deno task predict --checkpoint runs/mine photo.jpg",
    "  deno task serve --checkpoint runs/mine",
    "  deno task export runs/mine runs/mine/best.onnx",
  ]);
  const unvalidated = linesOf(end("runs/mine", { best: undefined }));
  assertEquals(
    unvalidated.at(-1),
    "  deno task export runs/mine/last.safetensors runs/mine/last.onnx",
  );
});

Deno.test("a run that was stopped ends with how to go on, and not with what is next", () => {
  const lines = linesOf(end("my runs/a", { stopped: true }));
  assertEquals(
    lines[0],
    "Stopped in epoch 2 after step 13 of 300 (1m 1s); go on with: deno task train --resume 'my runs/a'",
  );
  assert(!lines.join().includes("predict"));
});

Deno.test("a path in a command is one word of it", () => {
  assertEquals(shellWord("my runs/it's", false), `'my runs/it'\\''s'`);
  assertEquals(shellWord("a;b$c", false), "'a;b$c'");
  assertEquals(shellWord("runs/a-b_1.2", false), "runs/a-b_1.2");
  assertEquals(shellWord("C:\\my runs\\a", true), '"C:\\my runs\\a"');
});

testNeeding("run")({
  name: "a shell takes a quoted path for what it is",
  ignore: Deno.build.os === "windows",
  fn: async () => {
    for (const path of ["my runs/it's", 'a"b\\c', "$HOME *;`ls`", "鳥"]) {
      const { stdout } = await new Deno.Command("sh", { args: ["-c", `printf %s ${shellWord(path)}`] })
        .output();
      assertEquals(new TextDecoder().decode(stdout), path);
    }
  },
});

Deno.test("a progress line is rewritten, and gone when all is done; off a terminal it ends with a plain line", () => {
  const tell = (terminal: boolean) => {
    let text = "";
    const report = textReporter((t) => text += t, { terminal, now: () => 0 });
    for (const done of [1, 2, 3]) report({ event: "progress", what: "Compiling kernel", done, total: 3 });
    report({ event: "note", text: "Next" });
    return text;
  };
  const line = "\r\x1b[K";
  assertEquals(tell(true), `${line}Compiling kernel 1 of 3${line}Compiling kernel 2 of 3${line}Next\n`);
  assertEquals(tell(false), "Compiling kernel 1 of 3\nCompiling kernel 3 of 3\nNext\n");
});

Deno.test("a name in a note does not act on the terminal", () => {
  let text = "";
  textReporter((t) => text += t, { terminal: false })({ event: "note", text: "Left out a\x1b[2J\n.jpg" });
  assertEquals(text, "Left out a\\x1b[2J\\n.jpg\n");
});

Deno.test("the JSON reporter writes one object a line", () => {
  const lines: string[] = [];
  const report = jsonReporter((line) => lines.push(line));
  report(step(7));
  assertEquals(JSON.parse(lines[0]!), step(7));
});

Deno.test("the JSON reporter tells the first and last of a thing's progress, and at most four a second between", () => {
  const told: string[] = [];
  let now = 0;
  const report = jsonReporter((line) => {
    const { what, done } = JSON.parse(line);
    told.push(`${what} ${done}`);
  }, () => now);
  for (const what of ["a", "b"]) {
    for (let done = 1; done <= 10; done++, now += 100) report({ event: "progress", what, done, total: 10 });
  }
  assertEquals(told, ["a 1", "a 4", "a 7", "a 10", "b 1", "b 4", "b 7", "b 10"]);
});

Deno.test("one of a thing is one thing, and what the run chose stands in a line of its own", () => {
  let text = "";
  const report = textReporter((t) => text += t, { terminal: false });
  const start: RunEvent = {
    event: "start",
    adapter: "a",
    tiles: "built-in",
    model: "compact",
    parameters: 9,
    data: "photos",
    split: "folders",
    classes: ["cat"],
    images: { train: 1, valid: 2, test: 0 },
    leftOut: 0,
    epochs: 1,
    steps: 1,
    chosen: [{ option: "lr", value: 0.02, text: "learning rate 0.02 (for sgd)" }],
    out: "runs/x",
  };
  report(start);
  report({ ...start, images: { train: 12, valid: 1, test: 1 }, epochs: 2, steps: 4, chosen: [] });
  const lines = text.trim().split("\n").filter((line) => /^(Data|Run|Chosen)/.test(line));
  assertEquals(lines, [
    "Data      photos: 1 training image, 2 validation, 0 test (folders)",
    "Run       runs/x: 1 epoch, 1 step",
    "Chosen    learning rate 0.02 (for sgd)",
    "Data      photos: 12 training images, 1 validation, 1 test (folders)",
    "Run       runs/x: 2 epochs, 4 steps",
  ]);
});

const started = (classes: readonly string[]): RunEvent => ({
  event: "start",
  classes,
  ...{
    adapter: "none",
    tiles: "built-in",
    model: "compact",
    parameters: 1,
    data: "photos",
    split: "SPLIT.tsv",
  },
  ...{ images: { train: 1, valid: 1, test: 1 }, leftOut: 0, epochs: 1, steps: 1, chosen: [], out: "runs/x" },
});

Deno.test("many classes are counted and shortened to a line; a few are all named, one with a comma in quotes", () => {
  const lineOf = (classes: readonly string[], columns?: number) => {
    let text = "";
    textReporter((t) => text += t, { terminal: false, ...columns && { columns } })(started(classes));
    return text.split("\n").find((line) => line.startsWith("Classes"))!;
  };
  assertEquals(lineOf(["cat", "birds, small"]), 'Classes   cat, "birds, small"');
  const many = Array.from({ length: 120 }, (_, i) => `breed ${i}`);
  assertEquals(lineOf(many, 60), "Classes   120 classes: breed 0, breed 1, … and 118 more");
  assert(lineOf(many).length < 100);
});

Deno.test("an evaluation of many classes names those recognised least and the pairs mixed up most", () => {
  const evaluation = (count: number) => ({
    ...{ n: 10 * count, accuracy: 0.9, balancedAccuracy: 0.9, loss: 0.5 },
    perClass: Array.from({ length: count }, (_, i) => ({
      class: i === 7 ? "a, b" : `c${i}`,
      ...{ n: 10, recall: i === 7 ? 0.2 : 0.9, precision: 0.5 },
    })),
    confusion: Array.from(
      { length: count },
      (_, i) => Array.from({ length: count }, (_, j) => i === j ? 2 : i === 7 && j === 3 ? 8 : 0),
    ),
  });
  const many = evaluationText(evaluation(120));
  assertEquals(many.length, 14);
  assertEquals(many[1], "120 classes; least recognised (--json prints all):");
  assertEquals(many[2], '  "a, b": 10 images, recall 20.0 %, precision 50.0 %');
  assertEquals(many.slice(-2), ["mixed up most:", '  "a, b" taken for c3: 8']);
  assertEquals(evaluationText(evaluation(20)).length, 21);
});
