import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { comparisonSections } from "../../report/comparison.ts";
import { classifierSections } from "../../report/classifier_report.ts";
import { page } from "../../report/page.ts";
import { commandsOf, progressSection, runHead, validationSection } from "../../report/run_sections.ts";
import { logOf, reportOf } from "./samples.ts";
import { testNeeding } from "../permissions.ts";

Deno.test("the command to repeat a run is the one that began it, without where it went, and those that went on", () => {
  const log = logOf(100, {}, ["--data", "my photos", "--out", "runs/a", "--dashboard", "--lr=0.1"]);
  const resumed = { ...log.starts[0]!, command: ["--resume", "runs/a"] };
  assertEquals(commandsOf({ ...log, starts: [...log.starts, resumed] }), [
    "deno task train --data 'my photos' --lr=0.1",
    "deno task train --resume runs/a",
  ]);
  // A log that an older version's run has from where it went on.
  const later = commandsOf(logOf(100, {}, ["--resume", "runs/a", "--epochs", "9"]));
  assertEquals(later, ["deno task train --resume runs/a --epochs 9"]);
  assertEquals(commandsOf(logOf(100)), []);
});

Deno.test("a long run is drawn with no more points than can be seen, and told in words", () => {
  const [section] = progressSection(logOf(20_000));
  const html = `${section!.body}`;
  assert(html.length < 100_000, `${html.length} bytes`);
  assertMatch(html, /aria-label="Loss over the epochs: [^"]*training from [\d.]+ to [\d.]+/);
  assertMatch(html, /3s/); // left
});

Deno.test("distances from soft targets are drawn where a run has some", () => {
  const log = logOf(200), targets = { crossEntropy: 0.7, divergence: 0.4, entropy: 0.3 };
  assertEquals(`${progressSection(log)[0]!.body}`.includes("KL divergence"), false);
  const soft = { ...log, epochs: log.epochs.map((epoch) => ({ ...epoch, targets })) };
  assertMatch(`${progressSection(soft)[0]!.body}`, /KL divergence from 0\.4 to 0\.4/);
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

testNeeding("read")(
  "where one cell is left of a small input, an earlier layer says where an answer was seen",
  async () => {
    const asked: (string | undefined)[] = [];
    const { examples } = await reportOf(8, 2, 16, (layer) => {
      asked.push(layer);
      return layer === "middle" ? 3 : 1;
    });
    const shown = examples.mistakes.length + examples.unsure.length;
    assertEquals(asked, [undefined, "last", ...new Array(shown).fill("middle")]);
  },
);

testNeeding("read")("a report of 10,000 photos of 10 classes stays far below 10 MB", async () => {
  const report = await reportOf(10_000, 10, 180);
  const html = page({ title: "Large", about: "" }, classifierSections(report));
  assert(html.length > 100_000 && html.length < 3e6, `${html.length} bytes`);
  assertMatch(html, /12 of [\d,]+ wrong answers/);
  assertStringIncludes(html, "With temperature 2.00");
  assertStringIncludes(html, "the error is 12.3\u00a0%");
  assertStringIncludes(html, "at most 5.0\u00a0%");
  assertStringIncludes(html, "class 3/photo");
});
