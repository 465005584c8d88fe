/** The engine in a real browser: its kernels, its training and its predictions against those of Deno. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import type { Page } from "playwright-core";
import { decodeImage } from "../../data/image/decode.ts";
import { decodeSide } from "../../data/preprocess.ts";
import { Gpu } from "../../engine/gpu.ts";
import type { Examination } from "../../engine/verify/report.ts";
import { loadClassifier } from "../../model/inference/load.ts";
import { browserPath, startBrowser, SWIFTSHADER, WEBGPU_ARGS } from "./browser.ts";
import { someShapes, trainBriefly } from "./brief_run.ts";
import { type Folder, serveFolder } from "./folder_server.ts";

const ENTRY = fromFileUrl(new URL("page_program.ts", import.meta.url));

/** A test on a blank page that can import `/program.js`. */
function browserTest(name: string, test: (page: Page, site: Folder) => Promise<void>) {
  Deno.test({
    name: `${name}${browserPath === undefined ? " (needs Chromium)" : ""}`,
    ignore: browserPath === undefined,
    // The browser's driver keeps timers and pipes of its own.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      await using site = await serveFolder();
      await Deno.writeTextFile(join(site.path, "index.html"), "<!DOCTYPE html><title>Test</title>");
      const args = [
        "bundle",
        "--quiet",
        "--platform",
        "browser",
        "--output",
        join(site.path, "program.js"),
        ENTRY,
      ];
      const { code, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
      assertEquals(code, 0, new TextDecoder().decode(stderr));
      const browser = await startBrowser(WEBGPU_ARGS);
      try {
        const page = await browser.newPage();
        await page.goto(site.url.href);
        await test(page, site);
      } finally {
        await browser.close();
      }
    },
  });
}

/** Runs the body of an asynchronous function in the page, where `an` is the program and `gpu` a device; as text, since the page's types are not this program's. */
const onDevice = <T>(page: Page, body: string) =>
  page.evaluate<T>(`(async () => {
    const an = await import("/program.js");
    const gpu = await an.Gpu.request();
    try { ${body} } finally { gpu[Symbol.dispose](); }
  })()`);

browserTest(
  "kernels compute in a page what they should, on an adapter that is known to be a processor",
  async (page) => {
    const { adapter, rows, passed, failed } = await onDevice<Examination>(
      page,
      "return await an.examineBrowser(gpu, an.QUICK_CASES);",
    );
    assertEquals(rows.filter((row) => !row.passed), []);
    assertEquals([failed, passed > 40], [0, true]);
    assertMatch(adapter.name, /swiftshader/i);
    assertEquals([adapter.kind, adapter.subgroupSize], ["cpu", 4]);
    assertMatch(adapter.runtime, /Chrome/);
  },
);

/** What Deno's own WebGPU says on a driver. */
async function onDeno(model: string, driver?: string): Promise<{ name: string; losses: number[] }> {
  const program = fromFileUrl(new URL("training_on_deno.ts", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program, model],
    env: driver === undefined ? {} : { VK_DRIVER_FILES: driver },
  }).output();
  assertEquals(code, 0, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

for (const model of ["compact", "compact-bn"]) {
  browserTest(`twenty steps of ${model} have the losses in a page that they have on Deno`, async (page) => {
    const losses = await onDevice<number[]>(page, `return await an.twentySteps(gpu, "${model}");`);
    const same = await onDeno(model, SWIFTSHADER);
    assertMatch(same.name, /SwiftShader/);
    const other = await onDeno(model);
    assertEquals([losses.length, same.losses.length, other.losses.length], [20, 20, 20]);
    assert(losses.at(-1)! < losses[0]! / 5, `it learns nothing: ${losses}`);
    losses.forEach((loss, step) => {
      assert(
        Math.abs(loss - same.losses[step]!) < 1e-5,
        `step ${step}: ${loss}, on Deno ${same.losses[step]}`,
      );
      assert(
        Math.abs(loss - other.losses[step]!) < 1e-4,
        `step ${step}: ${loss}, ${other.losses[step]} on ${other.name}`,
      );
    });
  });
}

browserTest("photos get the classes and probabilities of `predict` in a page", async (page, site) => {
  const run = await trainBriefly(site.path);
  const photos = await someShapes(run.data, 20);
  using gpu = await Gpu.request();
  const classifier = await loadClassifier(run.checkpoint, { gpu });
  const side = decodeSide(classifier.card.preprocess);
  for (const [i, path] of photos.entries()) {
    const bytes = await Deno.readFile(path), image = await decodeImage(bytes, { shorterSide: side });
    const [wanted] = await classifier.classify([image], { explain: true });
    await Deno.writeFile(join(site.path, "photo"), bytes);
    await Deno.writeFile(join(site.path, "pixels"), image.data);
    const got = await onDevice<{ decoded: number[]; same: number[]; heatmap: number[] }>(
      page,
      `
      const classifier = window.classifier ??= await an.loadClassifier(new URL("/best.safetensors", location.href));
      const get = (path) => fetch(path, { cache: "no-store" });
      const photo = await an.readPhoto(await (await get("/photo")).blob(), { shorterSide: ${side} });
      const data = new Uint8Array(await (await get("/pixels")).arrayBuffer());
      const pixels = { width: ${image.width}, height: ${image.height}, data };
      const [decoded] = await classifier.classify([photo]);
      const [same] = await classifier.classify([pixels], { explain: true });
      return {
        decoded: [...decoded.probabilities], same: [...same.probabilities], heatmap: [...same.heatmap.data],
      };`,
    );
    const difference = (a: readonly number[], b: Float32Array) =>
      Math.max(...a.map((value, k) => Math.abs(value - b[k]!)));
    const best = (values: ArrayLike<number>) => Array.from(values).indexOf(Math.max(...Array.from(values)));
    assertEquals(best(got.decoded), best(wanted!.probabilities), `photo ${i}, ${path}`);
    assert(
      difference(got.same, wanted!.probabilities) < 1e-4,
      `photo ${i}: ${got.same}, ${wanted!.probabilities}`,
    );
    assert(
      difference(got.decoded, wanted!.probabilities) < 1e-2,
      `photo ${i}: ${got.decoded}, ${wanted!.probabilities}`,
    );
    assert(difference(got.heatmap, wanted!.heatmap!.data) < 1e-3, `photo ${i}: the heatmap differs`);
  }
  await classifier.close();
});

browserTest("what is no checkpoint is refused in a page by a sentence", async (page, site) => {
  await Deno.writeTextFile(join(site.path, "notes.safetensors"), "only notes");
  const refusal = (source: string) =>
    onDevice<string>(page, `return await an.loadClassifier(${source}, { gpu }).then(() => "", String);`);
  assertMatch(
    await refusal(`new URL("/notes.safetensors", location.href)`),
    /^CheckpointError: Cannot read http:.*notes\.safetensors: it is no safetensors file/,
  );
  assertMatch(await refusal(`new URL("/nothing", location.href)`), /Cannot fetch .*: the answer was 404$/);
  assertMatch(
    await refusal(`new File(["short"], "my.pt")`),
    /^CheckpointError: Cannot read my\.pt: it has 5 bytes/,
  );
});

Deno.test("the module for pages is built with its source map, and anew only where something has changed", async () => {
  const dir = await Deno.makeTempDir(), path = join(dir, "alexnet.js");
  const bundle = async (...flags: string[]) => {
    const command = fromFileUrl(new URL("../../commands/bundle.ts", import.meta.url));
    const args = ["run", "-A", "--config", "../../deno.json", command, "--out", path, ...flags];
    const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } })
      .output();
    return { code, said: new TextDecoder().decode(stderr) };
  };
  const { code, said } = await bundle();
  assertEquals(code, 0, said);
  assertMatch(said, /Built .*alexnet\.js for pages/);
  const { PhotoTraining } = await import(`file://${path}`);
  assertEquals(typeof PhotoTraining.create, "function");
  assert(
    JSON.parse(await Deno.readTextFile(`${path}.map`)).sources.some((name: string) =>
      /conv2d\.ts$/.test(name)
    ),
  );
  const built = (await Deno.stat(path)).mtime;
  assertEquals((await bundle()).said, "");
  assertEquals((await Deno.stat(path)).mtime, built);
  await Deno.utime(path, 1, 1);
  assertMatch((await bundle("--optional")).said, /^Built /m);
  await Deno.remove(dir, { recursive: true });
});
