import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { comparisonSections } from "../../report/comparison.ts";
import { classifierSections, reportOn } from "../../report/classifier_report.ts";
import type { RunLog } from "../../report/event_log.ts";
import { page } from "../../report/page.ts";
import { commandsOf, progressSection, runHead, validationSection } from "../../report/run_sections.ts";
import type { PhotoStore } from "../../data/dataset/photo_store.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import type { NetworkClassifier } from "../../model/inference/classifier.ts";
import { EVALUATION } from "./events.ts";

const time = "2026-01-01T00:00:00.000Z";

/** What a run of that many steps told. */
function logOf(steps: number, options: Record<string, unknown> = {}, command?: string[]): RunLog {
  const every = Array.from({ length: Math.floor(steps / 10) }, (_, i) => 10 * (i + 1));
  return {
    starts: [{
      ...{
        event: "start",
        time,
        options,
        adapter: "test",
        model: "compact",
        parameters: 1000,
        data: "photos",
      },
      ...{ split: "", classes: ["cat", "dog"], images: { train: 320, valid: 4, test: 0 }, out: "run" },
      ...{ epochs: steps / 100, steps },
      ...command && { command },
    }],
    steps: every.map((step) => ({
      ...{ event: "step", time, epoch: Math.ceil(step / 100), step, steps, loss: 100 / step, accuracy: 0.5 },
      ...{ lr: 0.1, imagesPerSecond: 100, secondsLeft: 3, deviceBytes: 1e6 },
    })),
    epochs: every.filter((step) => step % 100 === 0).map((step) => ({
      ...{ event: "epoch", time, epoch: step / 100, step, trainLoss: 0.5, trainAccuracy: 0.5, best: true },
      ...{ valid: structuredClone(EVALUATION) as never, imagesPerSecond: 100 },
    })),
    ...{ notes: [], end: undefined, seconds: 60 },
  };
}

Deno.test("the command to repeat a run is the one that began it, without where it went, and those that went on", () => {
  const log = logOf(100, {}, ["--data", "my photos", "--out", "runs/a", "--dashboard", "--lr=0.1"]);
  const resumed = { ...log.starts[0]!, command: ["--resume", "runs/a"] };
  assertEquals(commandsOf({ ...log, starts: [...log.starts, resumed] }), [
    "deno task train --data 'my photos' '--lr=0.1'",
    "deno task train --resume runs/a",
  ]);
  assertEquals(commandsOf(logOf(100)), []);
});

Deno.test("a long run is drawn with no more points than can be seen, and told in words", () => {
  const [section] = progressSection(logOf(20_000));
  const html = `${section!.body}`;
  assert(html.length < 100_000, `${html.length} bytes`);
  assertMatch(html, /aria-label="Loss over the epochs: [^"]*training from [\d.]+ to [\d.]+/);
  assertMatch(html, /3s/); // left
});

Deno.test("names are text on a page, whatever they hold", () => {
  const bad = `<img src=x onerror="alert(1)">`, log = logOf(100, { data: bad });
  const named = {
    ...log,
    epochs: log.epochs.map((e) => ({
      ...e,
      valid: {
        ...e.valid!,
        perClass: [bad, bad].map((name) => ({ class: name, n: 2, recall: 1, precision: 1 })),
      },
    })),
  };
  const html = page(runHead(bad, log, "live"), [...progressSection(log), ...validationSection(named)]);
  assertEquals(html.includes("<img src=x"), false);
  assertStringIncludes(html, "&lt;img src=x onerror=&quot;alert(1)&quot;&gt;");
});

Deno.test("runs are compared by the options that differ alone", () => {
  const runs = [0.1, 0.2].map((lr) => ({ name: `lr ${lr}`, log: logOf(200, { lr, model: "compact" }) }));
  const [, , options] = comparisonSections(runs), html = `${options!.body}`;
  assertMatch(html, /<th scope="row">lr<\/th><td>0.1<\/td><td>0.2<\/td>/);
  assertEquals(html.includes("model"), false);
  const [, , same] = comparisonSections([runs[0]!, runs[0]!]);
  assertStringIncludes(`${same!.body}`, "the same options");
});

Deno.test("a report of 10,000 photos of 10 classes stays far below 10 MB", async () => {
  const classes = Array.from({ length: 10 }, (_, k) => `class ${k}`), count = 10_000;
  const side = 256,
    entries = Array.from({ length: count }, (_, i) => ({
      ...{ path: `/photos/class ${i % 10}/photo ${i}.jpg`, label: i % 10, width: side, height: side },
      ...{ shard: 0, offset: 0 },
    }));
  const store = {
    entries,
    // Noise: what no codec makes small.
    readInto(index: number, target: Uint8Array) {
      for (let i = 0, x = index + 1; i < target.length; i++) {
        target[i] = (x = Math.imul(x, 1664525) + 1013904223) >>> 24;
      }
    },
  } as unknown as PhotoStore;
  const classifier = {
    card: { preprocess: defaultPreprocess(64) },
    explain: () => Promise.resolve({ width: 2, height: 2, data: Float32Array.of(0, 0.5, 1, 0.2) }),
  } as unknown as NetworkClassifier;
  const logits = Float32Array.from({ length: count * 10 }, (_, i) => Math.sin(i * i));
  const predictions = {
    ...{ classes, logits, labels: Uint32Array.from(entries, ({ label }) => label) },
    paths: entries.map(({ path }) => path),
  };
  const report = await reportOn(classifier, store, predictions, {
    ...{ dir: "/photos", split: "validation", temperature: 2 },
  });
  const html = page({ title: "Large", about: "" }, classifierSections(report));
  assert(html.length > 100_000 && html.length < 3e6, `${html.length} bytes`);
  assertMatch(html, /12 of [\d,]+ wrong answers/);
  assertStringIncludes(html, "With temperature 2.00");
  assertStringIncludes(html, "class 3/photo");
});
