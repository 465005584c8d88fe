/** The static folder of `deno task export --web`, in a browser: from a plain file server, and then without one. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { Buffer } from "node:buffer";
import type { BrowserContext, Page } from "playwright-core";
import { decodeImage } from "../../data/image/decode.ts";
import { decodeSide } from "../../data/preprocess.ts";
import { Gpu } from "../../engine/gpu.ts";
import { namedProbabilities } from "../../model/inference/classifier_types.ts";
import { loadClassifier } from "../../model/inference/load.ts";
import { until } from "../server/fixture.ts";
import { accessibilityProblems, keepScreenshot } from "./appearance.ts";
import { someShapes, trainBriefly } from "./brief_run.ts";
import { browserPath, startBrowser, WEBGPU_ARGS } from "./browser.ts";
import { type Folder, serveFolder } from "./folder_server.ts";

const DESKTOP = { width: 1280, height: 900 }, PHONE = { width: 390, height: 844 };

/** Below it other things may lie, as on hosts that give each project a path. */
const PREFIX = "/some/project/";

interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly site: Folder;
  readonly photos: readonly string[];
  /** Errors in the console, and requests to anywhere else. */
  readonly complaints: string[];
}

/** What all tests share, made by the first that runs. */
let model: ReturnType<typeof trained> | undefined;

async function trained() {
  const dir = await Deno.makeTempDir();
  const { checkpoint, data } = await trainBriefly(dir), folder = join(dir, "site");
  await exportFolder(checkpoint, folder);
  globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
  return { checkpoint, folder, photos: await someShapes(data, 3) };
}

async function exportFolder(checkpoint: string, folder: string): Promise<string> {
  const command = fromFileUrl(new URL("../../commands/export.ts", import.meta.url));
  const args = [
    "run",
    "-A",
    "--no-check",
    "--config",
    "../../deno.json",
    command,
    checkpoint,
    "--web",
    folder,
  ];
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } })
    .output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function siteTest(
  name: string,
  { args = WEBGPU_ARGS, viewport = DESKTOP, start = "" }: {
    readonly args?: readonly string[];
    readonly viewport?: typeof DESKTOP;
    readonly start?: string;
  },
  test: (visit: Visit) => Promise<void>,
) {
  Deno.test({
    name: `${name}${browserPath === undefined ? " (needs Chromium)" : ""}`,
    ignore: browserPath === undefined,
    // The browser's driver keeps timers and pipes of its own.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const { folder, photos } = await (model ??= trained());
      await using site = await serveFolder(PREFIX, folder);
      const browser = await startBrowser(args);
      try {
        const context = await browser.newContext({ viewport, permissions: ["camera"] });
        const page = await context.newPage();
        const complaints: string[] = [];
        page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
        page.on("pageerror", (error) => complaints.push(error.message));
        context.on("request", (request) => {
          const url = new URL(request.url());
          const own = url.href.startsWith(site.url.href) || ["blob:", "data:"].includes(url.protocol);
          if (!own) complaints.push(`asked for ${url}`);
        });
        await page.goto(new URL(start, site.url).href);
        await test({ page, context, site, photos, complaints });
        assertEquals(complaints, []);
      } finally {
        await browser.close();
      }
    },
  });
}

const text = async (page: Page, selector: string) => (await page.textContent(selector))?.trim();
const answered = (page: Page) => page.waitForSelector("#answer:not([hidden])");
const inPage = <T>(page: Page, expression: string) => page.evaluate<T>(expression);

siteTest(
  "a photo gets the answer of `predict` on the visitor's device, and is not sent",
  {},
  async (visit) => {
    const { page, site, photos } = visit;
    const sent: string[] = [];
    page.on("request", (request) => request.method() !== "GET" && sent.push(request.url()));
    await page.setInputFiles("#file", photos[0]!);
    await answered(page);
    using gpu = await Gpu.request();
    const classifier = await loadClassifier(join(site.path, "model/model.safetensors"), { gpu });
    const { classes, preprocess } = classifier.card;
    const image = await decodeImage(await Deno.readFile(photos[0]!), { shorterSide: decodeSide(preprocess) });
    const [answer] = await classifier.classify([image]);
    await classifier.close();
    const wanted = namedProbabilities(classes, answer!);
    assertEquals(await text(page, "#verdict-class"), wanted.class);
    const shown = (await page.locator("#bars .number").allTextContents()).map((share) => parseFloat(share));
    wanted.probabilities.forEach(({ probability }, i) => {
      assert(Math.abs(shown[i]! / 100 - probability) < 1e-2, `${shown[i]} %, wanted ${probability}`);
    });
    await until(async () => /Overlay/.test((await text(page, "#legend"))!));
    assertEquals((await page.locator("#legend dt").allTextContents()).slice(0, 4), [
      "Transfer",
      "Decode",
      "Compute",
      "Overlay",
    ]);
    await until(() => inPage(page, 'document.querySelector("#overlay").naturalWidth > 0'));
    assertMatch((await text(page, "#facts"))!, /swiftshader/);
    assertEquals(await text(page, "#status"), "Ready");
    assertEquals(sent, []);
    await keepScreenshot(page, "folder_desktop");
  },
);

siteTest(
  "the page answers after its server has gone, and so does the check of the device",
  {},
  async (visit) => {
    const { page, context, site, photos, complaints } = visit;
    await page.waitForSelector("#kept:not([hidden])");
    await site.stop();
    await page.close();
    const later = await context.newPage();
    await later.goto(site.url.href);
    await later.setInputFiles("#file", photos[1]!);
    await answered(later);
    assertMatch((await text(later, "#verdict-class"))!, /^(circle|square|star|triangle)$/);
    await later.goto(new URL("doctor.html", site.url).href);
    assertEquals(await text(later, "h1"), "Check this device");
    // The browser asks in vain whether the service worker has changed.
    complaints.splice(0);
  },
);

siteTest("a folder that was made anew replaces what browsers kept of the old one", {}, async (visit) => {
  const { page, site, photos } = visit;
  await page.waitForSelector("#kept:not([hidden])");
  const first = await Deno.readTextFile(join(site.path, "service_worker.js"));
  await Deno.writeTextFile(
    join(site.path, "service_worker.js"),
    first.replace(/^const VERSION = "/, "$&new-"),
  );
  await page.reload();
  await until(() =>
    inPage(page, `caches.keys().then((names) => names.length === 1 && names[0].startsWith("alexnet-new-"))`)
  );
  await page.setInputFiles("#file", photos[2]!);
  await answered(page);
  await Deno.writeTextFile(join(site.path, "service_worker.js"), first);
});

siteTest(
  "the live camera is answered frame after frame, and a photo ends it",
  {},
  async ({ page, photos }) => {
    await page.click("#live");
    await answered(page);
    assertEquals(await page.getAttribute("#live", "aria-pressed"), "true");
    assertEquals(await page.isVisible("#photo"), false);
    const times = async () => await text(page, "#legend");
    const before = await times();
    await until(async () => await times() !== before);
    await page.setInputFiles("#file", photos[0]!);
    await until(() => inPage(page, 'document.querySelector("#overlay").naturalWidth > 0'));
    assertEquals(await page.getAttribute("#live", "aria-pressed"), "false");
    assertEquals(await page.locator("#live-video").count(), 0);
  },
);

siteTest("a file that is no picture is told in words, and the next photo is answered", {}, async (visit) => {
  const { page, photos } = visit;
  await page.setInputFiles("#file", { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("hello") });
  await page.waitForSelector("#problem:not([hidden])");
  assertMatch((await text(page, "#problem"))!, /^Cannot decode the photo: this browser says ".+"\.$/);
  assertEquals(await page.isVisible("#photo"), false);
  await page.setInputFiles("#file", photos[0]!);
  await answered(page);
  assertEquals(await page.isVisible("#problem"), false);
});

siteTest("a browser without WebGPU is told so in a sentence", { args: ["--headless=new"] }, async (visit) => {
  const { page, complaints } = visit;
  await page.waitForSelector("#problem:not([hidden])");
  assertMatch(
    (await text(page, "#problem"))!,
    /^This browser (has no WebGPU|finds no graphics adapter for WebGPU)\.$/,
  );
  assertEquals(await text(page, "#status"), "No answer here");
  complaints.splice(0);
});

siteTest(
  "the check of a device proves its kernels and gives a report",
  { start: "doctor.html" },
  async (visit) => {
    const { page } = visit;
    await page.focus("#quick");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#outcome:not([hidden])", { timeout: 120_000 });
    assertMatch((await text(page, "#verdict-words"))!, /^All \d+ cases are right\.$/);
    assert(await page.locator('#rows tr[data-passed="true"]').count() > 40);
    assertEquals(await page.locator('#rows tr[data-passed="false"]').count(), 0);
    assertMatch((await text(page, "#adapter"))!, /swiftshader \(cpu\)/);
    assertEquals(await page.isVisible("#copy"), true);
    assertEquals(await accessibilityProblems(page), []);
    await keepScreenshot(page, "folder_doctor");
  },
);

for (const scheme of ["light", "dark"] as const) {
  for (const start of ["", "doctor.html"]) {
    siteTest(
      `${
        start || "the page"
      } fits a phone and has no accessibility problem that a machine can find, in ${scheme} colours`,
      { viewport: PHONE, start },
      async ({ page, photos }) => {
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        assertEquals(await accessibilityProblems(page), []);
        if (start === "") {
          await page.setInputFiles("#file", photos[0]!);
          await answered(page);
          assertEquals(await accessibilityProblems(page), []);
        }
        assertEquals(await inPage<number>(page, "document.documentElement.scrollWidth"), PHONE.width);
        await keepScreenshot(page, `folder_phone_${scheme}_${start.slice(0, 6)}`);
      },
    );
  }
}

siteTest("everything can be reached with the Tab key", {}, async ({ page }) => {
  await page.waitForSelector("#live:not([hidden])");
  const reached: string[] = [];
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press("Tab");
    reached.push(
      await inPage<string>(page, "document.activeElement.id || document.activeElement.textContent.trim()"),
    );
  }
  for (const id of ["Skip to the photo", "Check this device", "file", "choose", "open-camera", "live"]) {
    assert(reached.includes(id), `${id} is not among ${reached.join(", ")}`);
  }
});

Deno.test("a folder is small, complete, and written again but not over something else", async () => {
  const { checkpoint } = await (model ??= trained());
  const dir = await Deno.makeTempDir();
  const folder = join(dir, "site"), other = join(dir, "other");
  const said = await exportFolder(checkpoint, folder);
  const compressed = Number(/, (\d+) kB as web servers compress them/.exec(said)?.[1]);
  assert(compressed > 300 && compressed < 700, said);
  await exportFolder(checkpoint, folder);
  const kept = /FILES = (\[.*\]);/.exec(await Deno.readTextFile(join(folder, "service_worker.js")))![1]!;
  for (const file of JSON.parse(kept) as string[]) {
    if (file !== "./") assert((await Deno.stat(join(folder, file))).isFile, file);
  }
  const card = JSON.parse(await Deno.readTextFile(join(folder, "model/card.json")));
  assertEquals(card.classes, ["circle", "square", "star", "triangle"]);
  await Deno.mkdir(other);
  await Deno.writeTextFile(join(other, "precious.txt"), "mine");
  const error = await exportFolder(checkpoint, other).then(() => "", String);
  assertMatch(error, /cannot write .*other: there are other files in it/);
  await Deno.remove(dir, { recursive: true });
});
