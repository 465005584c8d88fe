/** The switch "On this device" of a server's page: the server's own answer, without an upload. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import type { Page } from "playwright-core";
import { buildEngineModule } from "../../commands/web/engine_module.ts";
import { serveFake, until } from "../server/fixture.ts";
import { accessibilityProblems, keepScreenshot } from "./appearance.ts";
import { someShapes, trainBriefly } from "./brief_run.ts";
import { browserPath, startBrowser, WEBGPU_ARGS } from "./browser.ts";

const text = async (page: Page, selector: string) => (await page.textContent(selector))?.trim();

Deno.test({
  name: `the page computes on the visitor's device what the server would answer, and uploads nothing${
    browserPath === undefined ? " (needs Chromium)" : ""
  }`,
  ignore: browserPath === undefined,
  // The browser's driver keeps timers and pipes of its own.
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (context) => {
    const dir = await Deno.makeTempDir();
    const { checkpoint, data } = await trainBriefly(dir);
    const [photo] = await someShapes(data, 1);
    await buildEngineModule(join(dir, "alexnet.js"), { sourceMap: false });
    await using server = await serveFake({
      sources: [{ name: "shapes", path: checkpoint }],
      startGpuWorker: () =>
        new Worker(new URL("../../server/workers/gpu_worker.ts", import.meta.url), { type: "module" }),
      engine: await Deno.readFile(join(dir, "alexnet.js")),
    });
    const visit = async (args: readonly string[], test: (page: Page, uploads: string[]) => Promise<void>) => {
      const browser = await startBrowser(args);
      try {
        const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
        const uploads: string[] = [], complaints: string[] = [];
        page.on("request", (request) => request.method() === "POST" && uploads.push(request.url()));
        page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
        await page.goto(server.url.href);
        await page.waitForSelector("#own-device-choice:not([hidden])");
        await test(page, uploads);
        assertEquals(complaints, []);
      } finally {
        await browser.close();
      }
    };
    const shares = async (page: Page) =>
      (await page.locator("#bars .number").allTextContents()).map((share) => parseFloat(share));

    await context.step("with WebGPU", () =>
      visit(WEBGPU_ARGS, async (page, uploads) => {
        await page.setInputFiles("#file", photo!);
        await page.waitForSelector("#answer:not([hidden])");
        assertEquals(uploads.length, 1);
        const [verdict, wanted] = [await text(page, "#verdict-class"), await shares(page)];
        assertMatch((await text(page, "#legend"))!, /Queue/);
        await page.focus("#own-device");
        await page.keyboard.press("Space");
        await until(async () => !/Queue/.test((await text(page, "#legend"))!));
        assertEquals(uploads.length, 1);
        assertEquals(await text(page, "#verdict-class"), verdict);
        (await shares(page)).forEach((share, i) =>
          assert(Math.abs(share - wanted[i]!) < 1, `${share}, ${wanted[i]}`)
        );
        assertMatch(
          (await text(page, "#own-device-note"))!,
          /^Computed here, on .*swiftshader: no photo is sent\.$/,
        );
        assertEquals(await accessibilityProblems(page), []);
        await keepScreenshot(page, "own_device");
        await page.uncheck("#own-device");
        await until(async () => /Queue/.test((await text(page, "#legend"))!));
        assertEquals(uploads.length, 2);
      }));
    await context.step(
      "without WebGPU the server answers, and a sentence says so",
      () =>
        visit(["--headless=new"], async (page, uploads) => {
          await page.check("#own-device");
          await page.setInputFiles("#file", photo!);
          await page.waitForSelector("#answer:not([hidden])");
          assertMatch(
            (await text(page, "#own-device-note"))!,
            /^This browser .+\. The server answers instead\.$/,
          );
          assertEquals([await page.isChecked("#own-device"), uploads.length], [false, 1]);
        }),
    );
    await Deno.remove(dir, { recursive: true });
  },
});
