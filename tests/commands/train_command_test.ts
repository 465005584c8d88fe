import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { parseFlags, UsageError } from "../../commands/cli/args.ts";
import {
  givenOptions,
  optionsOfFlags,
  requireOneLength,
  requireResumable,
  TRAIN_COMMAND,
} from "../../commands/train_command.ts";
import { UserError } from "../../engine/errors.ts";
import { runOptions } from "../../training/options/options.ts";
import { testNeeding } from "../permissions.ts";
import { withShapes } from "../training/small_run.ts";
import { settle } from "../../training/options/settle.ts";

Deno.test("the flags of train are the run's options, and their defaults the ones that config.json would have", () => {
  const flags = parseFlags([], TRAIN_COMMAND);
  const options = runOptions(givenOptions(flags));
  const plain = JSON.parse(JSON.stringify(options));
  assertEquals(plain, JSON.parse(JSON.stringify(runOptions({}))));
  assertEquals([plain.model, plain.size, plain.optimizer, plain.momentum], [
    "compact",
    96,
    "sgd",
    undefined,
  ]);
  const epochs = (...args: string[]) =>
    settle(runOptions(givenOptions(parseFlags(args, TRAIN_COMMAND))), 64).options.epochs;
  const named = epochs("--data", "photos", "--model", "compact");
  assertEquals([epochs(), named, epochs("--epochs", "3")], [12, 30, 3]);
  assertEquals(
    Object.keys(plain).filter((key) => ["out", "workers", "json", "positionals"].includes(key)),
    [],
  );
});

Deno.test("the optimiser's own options can be given", () => {
  const options = (...args: string[]) => runOptions(givenOptions(parseFlags(args, TRAIN_COMMAND)));
  const { betas, eps } = options("--optimizer", "adamw", "--betas", "0.8,0.99", "--eps", "1e-6");
  assertEquals([betas, eps], [[0.8, 0.99], 1e-6]);
  assertEquals(options("--optimizer", "rmsprop", "--alpha", "0.9").alpha, 0.9);
  const fails = (...args: string[]) => assertThrows(() => parseFlags(args, TRAIN_COMMAND), UsageError);
  assertMatch(fails("--betas", "0.9,1").message, /--betas got "0.9,1", expected a number from 0 to 0.999999/);
  assertMatch(fails("--eps", "0").message, /--eps got "0", expected a number from 1e-30 to 1/);
});

Deno.test("an option that the optimiser would ignore is refused", () => {
  const refused = (sentence: string, ...args: string[]) =>
    assertThrows(() => runOptions(givenOptions(parseFlags(args, TRAIN_COMMAND))), UserError, sentence);
  refused("adam has no nesterov, only sgd has it", "--optimizer", "adam", "--nesterov");
  refused("adamw has no momentum, only sgd and rmsprop have it", "--optimizer", "adamw", "--momentum", "0.9");
  refused("adamw has no alpha", "--optimizer", "adamw", "--alpha", "0.9");
  refused("sgd has no betas", "--betas", "0.8,0.99");
  refused("momentum is 0", "--nesterov", "--momentum", "0");
  runOptions(givenOptions(parseFlags(["--nesterov", "--momentum", "0.8"], TRAIN_COMMAND)));
});

Deno.test("flags that the run's own options would contradict cannot stand beside --resume", () => {
  requireResumable(["--resume", "runs/a", "--epochs=3", "--json", "--no-json", "--workers", "2"]);
  requireResumable(["--resume", "runs/a", "--steps", "9", "--save-every", "3", "--resident=never"]);
  for (const flag of ["--lr=0.1", "--out=b", "--no-nesterov"]) {
    const refuse = () => requireResumable(["--resume", "runs/a", flag]);
    const { message } = assertThrows(refuse, UsageError, "cannot stand beside --resume");
    assertMatch(message, /^--(lr|out|nesterov) /);
  }
  const dry = () => requireResumable(["--resume", "runs/a", "--dry-run"]);
  assertThrows(dry, UsageError, "--dry-run cannot stand beside --resume: the run has begun");
});

Deno.test("two lengths of a run are refused", () => {
  for (const resume of [[], ["--resume", "runs/a"]]) {
    requireOneLength([...resume, "--epochs", "3"]);
    const refuse = () => requireOneLength([...resume, "--epochs=3", "--steps", "9"]);
    assertThrows(refuse, UsageError, "--epochs cannot stand beside --steps");
  }
});

testNeeding("all")({
  name: "a run that a signal stops says where it stands, and ends with the signal's exit code",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withShapes(async (dir, data) => {
      for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
        const child = new Deno.Command(Deno.execPath(), {
          args: [
            ...["run", "-A", "--no-check", new URL("../../train.ts", import.meta.url).pathname],
            ...["--data", data, "--model", "compact", "--size", "64", "--batch-size", "8"],
            ...["--epochs", "5000", "--out", signal, "--no-report"],
          ],
          cwd: dir,
          env: { NO_COLOR: "1" },
          stdout: "piped",
        }).spawn();
        let text = "", sent = false;
        for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
          text += part;
          if (sent || !/^Epoch 1 /m.test(text)) continue;
          child.kill(signal);
          sent = true;
        }
        assertMatch(
          text,
          /^Stopped in epoch \d+ after step \d+ of 30000 \(.*\); go on with: deno task train --resume /m,
        );
        assertEquals((await child.status).code, code);
      }
    }),
});

testNeeding("all")({
  name:
    "a signal that comes while photos are decoded ends train with one sentence and the signal's exit code",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withShapes(async (dir, data) => {
      const [photo] = [...Deno.readDirSync(join(data, "train", "star"))];
      for (const name of ["a", "b"]) {
        await Deno.mkdir(join(dir, "many", name), { recursive: true });
        const from = join(data, "train", "star", photo!.name);
        for (let i = 0; i < 500; i++) await Deno.copyFile(from, join(dir, "many", name, `${i}.jpg`));
      }
      const child = new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-A", "--no-check", new URL("../../train.ts", import.meta.url).pathname],
          ...[
            "--data",
            "many",
            "--size",
            "64",
            "--steps",
            "1",
            "--workers",
            "1",
            "--out",
            "a",
            "--cache",
            "c",
          ],
        ],
        cwd: dir,
        env: { NO_COLOR: "1" },
        ...{ stdout: "piped", stderr: "piped" },
      }).spawn();
      const err = new Response(child.stderr).text();
      let sent = false;
      for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
        if (sent || !part.includes("Decoding image")) continue;
        child.kill("SIGINT");
        sent = true;
      }
      assertEquals(await err, "deno task train: Stopped before training began\n");
      assertEquals((await child.status).code, 130);
    }),
});

Deno.test("options that cannot be trained with are wrong usage", () => {
  const refused = (given: Parameters<typeof optionsOfFlags>[0]) =>
    assertThrows(() => optionsOfFlags(given), UsageError).message;
  assertMatch(refused({ model: "yolov8n" }), /^--model is yolov8n, wanted one of compact, /);
  assertEquals(refused({ size: 32 }), "--size is 32, compact wants at least 61");
  assertEquals(
    refused({ optimizer: "adam", momentum: 0.9 }),
    "Cannot train: adam has no momentum, only sgd and rmsprop have it",
  );
  assertEquals(optionsOfFlags({ size: 61 }).size, 61);
});

testNeeding("all")(
  "train starts from a run's folder, records the file, and ends with what is next",
  () =>
    withShapes(async (dir, data) => {
      const run = async (name: string, ...flags: string[]) => {
        const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [
            ...["run", "-A", "--no-check", new URL("../../train.ts", import.meta.url).pathname],
            ...["--data", data, "--batch-size", "8", "--out", name, ...flags],
            ...flags.includes("--steps") ? [] : ["--steps", "1"],
          ],
          cwd: dir,
          env: { NO_COLOR: "1" },
        }).output();
        const text = new TextDecoder();
        return { code, lines: text.decode(stdout).trimEnd().split("\n"), err: text.decode(stderr) };
      };
      const first = await run("my runs/a", "--seed", "7", "--model", "compact", "--size", "64");
      assertEquals(first.code, 0, first.err);
      assertEquals(first.lines.slice(-4), [
        "Next",
        "  deno task predict --checkpoint 'my runs/a' photo.jpg",
        "  deno task serve --checkpoint 'my runs/a'",
        "  deno task export 'my runs/a' 'my runs/a/best.onnx'",
      ]);
      assert(first.lines.includes("Report    my runs/a/report.html"), first.lines.join("\n"));
      assertStringIncludes(
        await Deno.readTextFile(join(dir, "my runs", "a", "report.html")),
        "--seed 7 --model compact --size 64",
      );
      const second = await run("b", "--weights", "my runs", "--no-report");
      assertEquals(second.code, 0, second.err);
      assert(second.lines.some((line) => line.startsWith("Loaded 10 tensors: features.0.weight,")));
      const config = JSON.parse(await Deno.readTextFile(join(dir, "b", "config.json")));
      assertEquals([config.weights, config.seed], ["my runs/a/best.safetensors", 7]);
      // Told no model, it is the weights' own, on inputs like theirs.
      assertEquals([config.model, config.size, config.recipe], ["compact", 64, "none"]);
      assert(second.lines.includes("Start     compact at 64x64, as the weights are"));
      assertMatch(
        second.lines.join("\n"),
        /^Seed {6}7, with which the photos of the weights' run were split/m,
      );
      const told = await run("d", "--weights", "my runs", "--seed", "1", "--no-report");
      assertEquals([...Deno.readDirSync(join(dir, "d"))].filter(({ name }) => name === "report.html"), []);
      assert(!told.lines.join("\n").includes("Seed  "), told.err);
      const dry = await run("e", "--model", "compact", "--size", "64", "--dry-run");
      assertEquals([dry.code, dry.err], [0, ""]);
      assertMatch(dry.lines.join("\n"), /^Run {7}none, as nothing of it is kept: 1 epoch, 1 step$/m);
      assertEquals(
        dry.lines.at(-1),
        "Dry run   the first step was made: the run would start",
      );
      assertEquals([...Deno.readDirSync(dir)].filter(({ name }) => name === "e"), []);
      const heart = await run("f", "--model", "compact", "--size", "64", "--overfit-batch", "--steps", "80");
      assertMatch(
        heart.lines.at(-1)!,
        /^Overfit {3}the network can learn a batch by heart: all 8 photos right, loss 0/,
      );
      const cannot = await run("f", "--model", "compact", "--size", "64", "--overfit-batch", "--lr", "0");
      assertMatch(
        cannot.lines.at(-1)!,
        /^Overfit {3}after 1 step \d of the batch's 8 photos are right, loss \d\.\d+: /,
      );
      assertEquals([...Deno.readDirSync(dir)].filter(({ name }) => name === "f"), []);
      const nothing = await run("c", "--weights", data);
      assertEquals(nothing.code, 1);
      assertStringIncludes(nothing.err, `Cannot find a checkpoint in ${data}: there is no best.safetensors;`);
    }),
);
