/** The page that trains, in a browser: its file answers here as it does there, and a reload loses nothing. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { Buffer } from "node:buffer";
import type { Page } from "playwright-core";
import { decodeImage } from "../../data/image/decode.ts";
import { decodeSide } from "../../data/preprocess.ts";
import { Gpu } from "../../engine/gpu.ts";
import { hash } from "../../engine/random.ts";
import { loadClassifier } from "../../model/inference/load.ts";
import { encodePhoto, until } from "../server/fixture.ts";
import { accessibilityProblems, keepScreenshot } from "./appearance.ts";
import { browserPath, startBrowser, WEBGPU_ARGS } from "./browser.ts";
import { writeWebFolder } from "../../commands/web/folder.ts";
import { serveFolder } from "./folder_server.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../model/checkpoint/encoding.ts";
import { PhotoTraining } from "../../browser/training.ts";

const PHONE = { width: 390, height: 844 };

/** Photos of nearly one colour, of a class each. */
async function photosOf(label: number, count = 10) {
  const colour = (i: number) =>
    [0, 1, 2].map((channel) => (channel === label ? 160 : 20) + hash(5, channel, i, label) % 60) as [
      number,
      number,
      number,
    ];
  return await Promise.all(Array.from({ length: count }, async (_, i) => {
    const bytes = await encodePhoto(colour(i), { width: 80, height: 72, format: "jpeg" });
    return { name: `${label}-${i}.jpg`, mimeType: "image/jpeg", buffer: Buffer.from(bytes) };
  }));
}

/** A folder's model: trained here, on other classes. */
async function modelFile(gpu: Gpu): Promise<Uint8Array<ArrayBuffer>> {
  const photos = await Promise.all(
    [0, 1, 2].map(async (label) =>
      await Promise.all((await photosOf(label, 6)).map(async ({ buffer }) => ({
        ...await decodeImage(new Uint8Array(buffer)),
        label,
      })))
    ),
  );
  using training = await PhotoTraining.create(gpu, {
    classes: ["r", "g", "b"],
    photos: photos.flat(),
    epochs: 4,
  });
  while (!training.finished) await training.runEpoch();
  return encodeCheckpoint(await training.checkpoint());
}

function trainPageTest(name: string, test: (page: Page, gpu: Gpu, dir: string) => Promise<void>) {
  Deno.test({
    name: `${name}${browserPath === undefined ? " (needs Chromium)" : ""}`,
    ignore: browserPath === undefined,
    // The browser's driver keeps timers and pipes of its own.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      using gpu = await Gpu.request();
      await using site = await serveFolder();
      const weights = await modelFile(gpu), { card } = decodeCheckpoint(weights);
      await writeWebFolder(site.path, { name: "colours", card, weights });
      const browser = await startBrowser(WEBGPU_ARGS);
      try {
        const page = await browser.newPage({
          viewport: { width: 1280, height: 900 },
          permissions: ["camera"],
        });
        const complaints: string[] = [];
        page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
        page.on("pageerror", (error) => complaints.push(error.message));
        await page.goto(new URL("train.html", site.url).href);
        await page.waitForSelector(".class");
        await test(page, gpu, site.path);
        assertEquals(complaints, []);
      } finally {
        await browser.close();
      }
    },
  });
}

const text = async (page: Page, selector: string) => (await page.textContent(selector))?.trim();

async function fillClasses(page: Page, names: readonly string[]) {
  for (const [label, name] of names.entries()) {
    if (await page.locator(".class").count() === label) await page.click("#add-class");
    await until(async () => await page.locator(".class").count() > label);
    await page.locator(".class .name").nth(label).fill(name);
    await page.locator(".class .name").nth(label).press("Enter");
    await page.locator(".class input[type=file]").nth(label).setInputFiles(await photosOf(label));
    await until(async () => await page.locator(".class").nth(label).locator(".thumb").count() === 10);
  }
}

const trained = (page: Page) => until(async () => await text(page, "#status") === "Trained");

trainPageTest(
  "a model trained in the page answers alike from its file here, and a reload loses nothing",
  async (page, gpu, dir) => {
    await fillClasses(page, ["red", "green", "blue"]);
    await page.fill("#epochs", "8");
    await page.click("#run");
    await trained(page);
    assertEquals(await text(page, "#epoch"), "Epoch 8 of 8");
    assertMatch((await text(page, "#figures"))!, /^loss \d\.\d{3}, [\d.]+ % right; held out: [\d.]+ % of 6$/);
    assertEquals(await page.locator("#confusion tbody td").count(), 9);
    assertEquals((await page.getAttribute("#curve-train", "points"))!.split(" ").length, 8);
    const [photo] = await photosOf(1, 1);
    const tried = async () => {
      await page.setInputFiles("#try-file", photo!);
      await page.waitForSelector("#answer:not([hidden])");
      const shares = await page.locator("#bars .number").allTextContents();
      return {
        best: await text(page, "#verdict-class"),
        shares: shares.map((share) => parseFloat(share.replace("< ", ""))),
      };
    };
    const before = await tried();
    assertEquals(before.best, "green");
    assertEquals(await accessibilityProblems(page), []);
    await keepScreenshot(page, "train_desktop");
    const download = async () => {
      const coming = page.waitForEvent("download");
      await page.click("#download");
      const path = join(dir, "trained.safetensors");
      await (await coming).saveAs(path);
      return path;
    };
    const path = await download();
    const classifier = await loadClassifier(path, { gpu });
    const { classes, preprocess, training } = classifier.card;
    assertEquals([classes, training?.epoch], [["red", "green", "blue"], 8]);
    const image = await decodeImage(new Uint8Array(photo!.buffer), { shorterSide: decodeSide(preprocess) });
    const [answer] = await classifier.classify([image]);
    await classifier.close();
    const wanted = [...answer!.probabilities].sort((a, b) => b - a);
    before.shares.forEach((share, i) =>
      assert(Math.abs(share - 100 * wanted[i]!) < 1, `${share} %, here ${wanted[i]}`)
    );

    const file = await Deno.readFile(path);
    await page.reload();
    await until(async () => await page.locator(".thumb").count() === 30);
    const names = "[...document.querySelectorAll('.class .name')].map((each) => each.value)";
    assertEquals(await page.evaluate<string[]>(names), classes);
    assertEquals(await Deno.readFile(await download()), file);
    assertEquals(await tried(), before);
    await page.setViewportSize(PHONE);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      assertEquals(await accessibilityProblems(page), []);
      assertEquals(await page.evaluate<number>("document.documentElement.scrollWidth"), PHONE.width);
      await keepScreenshot(page, `train_phone_${colorScheme}`);
    }
  },
);

trainPageTest("training goes on top of the page's model, stops, and goes on", async (page) => {
  await fillClasses(page, ["reddish", "greenish"]);
  await page.selectOption("#start", "given");
  assertEquals(await page.isChecked("#keep"), true);
  await page.fill("#epochs", "300");
  await page.click("#run");
  await until(async () => /^Epoch [2-9]/.test((await text(page, "#epoch"))!));
  await page.click("#stop");
  await page.waitForSelector("#continue:not([hidden])");
  assertEquals(await text(page, "#status"), "Stopped");
  const at = () => text(page, "#epoch").then((words) => Number(/\d+/.exec(words!)![0]));
  const stopped = await at();
  await page.focus("#continue");
  await page.keyboard.press("Enter");
  await until(async () => await at() > stopped);
  await page.click("#stop");
  await page.waitForSelector("#continue:not([hidden])");
});

trainPageTest("what keeps training from beginning is told in a sentence", async (page) => {
  await page.click("#run");
  await page.waitForSelector("#problem:not([hidden])");
  assertEquals(await text(page, "#problem"), 'Cannot train: the class "Class 1" has no photo.');
  const notes = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") };
  await page.locator(".class input[type=file]").nth(0).setInputFiles([notes, ...await photosOf(0, 2)]);
  await until(async () => await text(page, "#problem") === "2 photos added; 1 of the files are no pictures.");
  const broken = { name: "broken.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no photo") };
  await page.locator(".class input[type=file]").nth(1).setInputFiles([broken, ...await photosOf(1, 2)]);
  await until(async () => await page.locator(".thumb").count() === 5);
  await page.fill("#epochs", "1");
  await page.click("#run");
  await trained(page);
  assertMatch((await text(page, "#left-out"))!, /^Left out: .*Cannot decode the photo/);
});
