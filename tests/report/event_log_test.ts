import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { join } from "@std/path";
import { UserError } from "../../engine/errors.ts";
import { EVENT_LOG, EventLogWriter, readLog, readRunLog } from "../../report/event_log.ts";
import { Recorder } from "../../report/recorder.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { resumeTraining, train } from "../../training/train.ts";
import { places, smallOptions, withShapes } from "../training/small_run.ts";
import { present, testNeeding } from "../permissions.ts";
import { endOf, epochOf, startOf, stepOf } from "./events.ts";

const now = () => new Date(0);

/** The text of a log of these events. */
async function logOf(...events: RunEvent[]): Promise<string> {
  const dir = await Deno.makeTempDir();
  try {
    using log = new EventLogWriter(dir, now);
    for (const event of events) log.add(event, event.event === "start" ? { options: {} } : undefined);
    return await Deno.readTextFile(join(dir, EVENT_LOG));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const files = testNeeding("read", "write");

files("a log gives back what was told, and not how far something was", async () => {
  const text = await logOf(
    startOf(),
    { event: "note", text: "Photos" },
    { event: "progress", what: "Decoding", done: 1, total: 2 },
    stepOf(10),
    epochOf(1, 20),
    endOf(20),
  );
  assertEquals(text.split("\n").length, 6);
  assertEquals(JSON.parse(text.split("\n")[0]!).v, 1);
  const { starts, steps, epochs, notes, end, seconds } = readLog(text);
  assertEquals([starts.length, steps[0]!.step, steps[0]!.loss, notes], [1, 10, 0.5, ["Photos"]]);
  assertEquals([epochs[0]!.valid!.accuracy, end!.step, seconds], [0.75, 20, 3]);
});

files("what a run that goes on does again replaces what it had told", async () => {
  const text = await logOf(
    ...[startOf(), stepOf(10), epochOf(1, 20), stepOf(30, 9), stepOf(33, 9), epochOf(2, 40)],
    ...[startOf(), { event: "resumed", step: 20 } as const, stepOf(30), epochOf(2, 40)],
  );
  const { starts, steps, epochs } = readLog(text);
  assertEquals(starts.length, 2);
  assertEquals(steps.map(({ step, loss }) => [step, loss]), [[10, 0.5], [30, 0.5]]);
  assertEquals(epochs.map(({ epoch }) => epoch), [1, 2]);
});

files("a run that saved nothing and begins anew has only its last start", async () => {
  const { starts, steps } = readLog(
    await logOf({ ...startOf(), data: "old" } as RunEvent, stepOf(10), startOf(), stepOf(5)),
  );
  assertEquals([starts.map(({ data }) => data), steps.map(({ step }) => step)], [["photos"], [5]]);
});

files("a log that a crash cut off is read without its last line, and goes on in a new one", async () => {
  const dir = await Deno.makeTempDir(), path = join(dir, EVENT_LOG);
  try {
    const whole = await logOf(startOf(), stepOf(10), stepOf(20));
    await Deno.writeTextFile(path, whole.slice(0, -30));
    assertEquals((await readRunLog(dir))!.steps.map(({ step }) => step), [10]);
    using log = new EventLogWriter(dir, now);
    log.add(stepOf(20));
    assertEquals((await readRunLog(dir))!.steps.map(({ step }) => step), [10, 20]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("lines of a later version are left out, and a loss that was no number is none", () => {
  const line = { v: 1, time: "2026-01-01T00:00:00.000Z", ...stepOf(1), loss: null };
  const { steps } = readLog(`${JSON.stringify(line)}\n${JSON.stringify({ ...line, v: 2, step: 2 })}\nrest`);
  assertEquals(steps.map(({ step, loss }) => [step, loss]), [[1, NaN]]);
});

testNeeding("all")(
  "a run that is stopped and goes on has one log without doubles",
  () =>
    withShapes(async (dir, data) => {
      const place = places(dir, "run");
      const stop = new AbortController();
      using recorder = new Recorder({ command: ["--data", "x"] });
      await train(smallOptions(data, "--steps", "12"), place, (event) => {
        recorder.add(event);
        if (event.event === "epoch") stop.abort();
      }, stop.signal);
      const stopped = (await readRunLog(place.out))!;
      assert(stopped.end!.stopped);
      await resumeTraining(place.out, {}, place, (event) => recorder.add(event));
      const { starts, steps, epochs, end } = (await readRunLog(place.out))!;
      assertEquals(recorder.folders, [place.out]);
      assertEquals([starts.length, starts[0]!.command, starts[0]!.options.batchSize], [
        2,
        ["--data", "x"],
        8,
      ]);
      assertEquals(epochs.map(({ epoch }) => epoch), [1, 2]);
      const numbers = steps.map(({ step }) => step);
      assertEquals(numbers, [...new Set(numbers)].sort((a, b) => a - b));
      assertEquals([numbers.at(-1), end!.stopped, end!.step], [12, false, 12]);
      assert(steps.every(({ deviceBytes }) => deviceBytes > 1e5));
    }),
);

testNeeding("all")({
  name: "a full disk ends the log in one sentence that names the file",
  ignore: !present("/dev/full"),
  async fn() {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.symlink("/dev/full", join(folder, "events.jsonl"));
      using log = new EventLogWriter(folder);
      const error = assertThrows(() => log.add({ event: "note", text: "x" }), UserError, "Cannot write ");
      assertStringIncludes(error.message, "events.jsonl: ");
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
