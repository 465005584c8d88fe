import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { decodeImage } from "../../data/image/decode.ts";
import { UserError } from "../../engine/errors.ts";
import { writeComparison } from "../../report/comparison.ts";
import { reportRuns } from "../../report/after_training.ts";
import { Recorder } from "../../report/recorder.ts";
import { writeRunReport } from "../../report/run_report.ts";
import type { RunEvent } from "../../training/run/events.ts";
import { train } from "../../training/train.ts";
import { places, smallOptions, withShapes } from "../training/small_run.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

/** Ids of a page's sections, in their order. */
const sectionsOf = (html: string) => [...html.matchAll(/<section id="([^"]+)"/g)].map(([, id]) => id);

test("a run's folder gets a report of everything it told and saw, and pictures beside it", () =>
  withShapes(async (dir, data) => {
    const place = places(dir, "my & run");
    using recorder = new Recorder({ command: ["--data", data, "--out", place.out, "--mixup", "0.4"] });
    const flags = ["--steps", "12", "--mixup", "0.4", "--augment", "full"];
    await train(smallOptions(data, ...flags), place, (event) => recorder.add(event));
    const told: RunEvent[] = [];
    await reportRuns(recorder.folders, (event) => told.push(event));
    const path = join(place.out, "report.html"), html = await Deno.readTextFile(path);
    assertEquals(told.at(-1), { event: "note", text: `Report    ${path}` });

    const sections = sectionsOf(html);
    for (
      const wanted of [
        "curves",
        "figures",
        "confusion",
        "calibration",
        "unsure",
        "samples",
        "filters",
        "cost",
        "repeat",
      ]
    ) assert(sections.includes(wanted), `${wanted} is not among ${sections}`);
    // A file that is opened without a network asks for nothing.
    const links = [...html.matchAll(/(?:src|href)="([^"]{0,40})/g)].map(([, link]) => link!);
    assert(
      links.length > 10 && links.every((link) => link.startsWith("data:image/") || link.startsWith("#")),
    );
    assertMatch(html, /Content-Security-Policy" content="default-src 'none'/);
    assertEquals(/<script/.test(html), false);
    assertStringIncludes(html, "<h1>my &amp; run</h1>");
    // The command as it was typed, but for where the run went, which another cannot take.
    assertMatch(html, /<pre>deno task train --data [^<]*shapes --mixup 0\.4<\/pre>/);
    assert(html.length < 1e6, `${html.length} bytes`);

    for (const name of ["results.png", "confusion_matrix.png", "train_batch.jpg", "val_predictions.jpg"]) {
      const { width, height, data: pixels } = await decodeImage(await Deno.readFile(join(place.out, name)));
      assert(width > 300 && height > 200, `${name} has ${width} x ${height} pixels`);
      // Letters and lines are dark on white.
      assert(pixels.some((value, i) => i % 4 === 0 && value < 100), `${name} is blank`);
    }
    const page = join(dir, "comparison.html");
    await writeComparison([place.out, place.out], page);
    assertEquals(sectionsOf(await Deno.readTextFile(page)), ["results", "curves", "options"]);
  }));

test("a run that was stopped before its first epoch, and one whose photos are gone, have their curves", () =>
  withShapes(async (dir, data) => {
    const place = places(dir, "run"), stop = new AbortController(), notes: string[] = [];
    using recorder = new Recorder();
    await train(smallOptions(data, "--steps", "12"), { ...place, saveEvery: 2 }, (event) => {
      recorder.add(event);
      if (event.event === "step") stop.abort();
    }, stop.signal);
    const report = async () => {
      const path = await writeRunReport(place.out, { onNote: (text) => notes.push(text) });
      return await Deno.readTextFile(path);
    };
    const html = await report();
    assertEquals(sectionsOf(html), ["curves", "samples", "filters", "cost", "repeat"]);
    assertMatch(html, /Stopped after step \d+ of 12/);
    assertStringIncludes(html, "A program began this run");
    await Deno.remove(data, { recursive: true });
    assertEquals(sectionsOf(await report()), ["curves", "missing", "cost", "repeat"]);
    assertMatch(notes.join("\n"), /^The report shows no photos: the run's folder of photos is gone$/m);
    await assertRejects(() => writeRunReport(dir), UserError, "holds no events.jsonl");
  }));
