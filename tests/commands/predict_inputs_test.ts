import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { InputError, photoInputs, type WebLimits } from "../../commands/predict_inputs.ts";
import { answerPhotos } from "../../commands/predict_photos.ts";
import { ImageError } from "../../data/image/image.ts";
import { defaultPreprocess } from "../../data/preprocess.ts";
import { drawShape, encodeJpeg } from "../../data/shapes/shape_drawing.ts";
import type { Classification, Classifier } from "../../model/inference/classifier_types.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

async function inFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** What reading each input gives: its bytes as text, or the reason. */
async function readAll(args: readonly string[], options?: Parameters<typeof photoInputs>[1]) {
  const inputs = await photoInputs(args, options);
  return await Promise.all(inputs.map(async ({ name, read }) => {
    const text = await read().then((bytes) => new TextDecoder().decode(bytes), (error) => {
      if (!(error instanceof InputError)) throw error;
      return error.message;
    });
    return [name, text];
  }));
}

test("files, the photos in folders and standard input are read in the order in which they are named", () =>
  inFolder(async (dir) => {
    await Deno.mkdir(join(dir, "a", "deep"), { recursive: true });
    await Deno.mkdir(join(dir, "empty"));
    for (const name of ["b.jpg", "a/2.png", "a/deep/1.jpg", "a/notes.txt"]) {
      await Deno.writeTextFile(join(dir, name), name);
    }
    const notes: string[] = [];
    const read = await readAll([
      join(dir, "b.jpg"),
      "-",
      join(dir, "a"),
      join(dir, "empty"),
      join(dir, "none.jpg"),
    ], {
      stdin: () => new Blob(["piped"]).stream(),
      onNote: (text) => notes.push(text),
    });
    assertEquals(read, [
      [join(dir, "b.jpg"), "b.jpg"],
      ["-", "piped"],
      [join(dir, "a/2.png"), "a/2.png"],
      [join(dir, "a/deep/1.jpg"), "a/deep/1.jpg"],
      [
        join(dir, "empty"),
        "Cannot find a photo in the folder: it has no JPEG, PNG, GIF, TIFF, WebP, BMP, AVIF or HEIC",
      ],
      [join(dir, "none.jpg"), "Cannot read the photo: there is no such file"],
    ]);
    assertEquals(notes, [`${join(dir, "a")}: Left out 1 of 3 files: 1 no photo (notes.txt)`]);
  }));

/** A server of a photo, one that is too large, one that never ends, and none. */
async function withServer(work: (address: string) => Promise<void>): Promise<void> {
  const held = new AbortController();
  const server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, ({ url }) => {
    switch (new URL(url).pathname) {
      case "/photo":
        return new Response("a photo");
      case "/moved":
        return Response.redirect(new URL("/photo", url));
      case "/large":
        return new Response(new Blob(["x".repeat(600), "x".repeat(600)]).stream());
      case "/slow":
        return new Response(
          new ReadableStream({
            start(controller) {
              controller.enqueue(new Uint8Array(5));
              held.signal.addEventListener("abort", () => controller.close());
            },
          }),
        );
      default:
        return new Response("none", { status: 404 });
    }
  });
  try {
    await work(`http://127.0.0.1:${server.addr.port}`);
  } finally {
    held.abort();
    await server.shutdown();
  }
}

test("a photo is fetched from the web where that is allowed, within its limits", () =>
  withServer(async (address) => {
    const web: WebLimits = { maxBytes: 1000, timeoutMs: 2000 };
    const read = async (path: string, limits?: WebLimits) =>
      (await readAll([address + path], { web: limits }))[0]![1]!;
    assertEquals(await readAll([`${address}/photo`], { web }), [[`${address}/photo`, "a photo"]]);
    assertEquals(await read("/moved", web), "a photo");
    assertEquals(
      await read("/photo"),
      "Cannot fetch the photo: it is a web address, which only --allow-urls lets be fetched",
    );
    assertEquals(await read("/none", web), "Cannot fetch the photo: the server answered with status 404");
    assertEquals(
      await read("/large", web),
      "Cannot fetch the photo: it has more than 0.001 MB, which --max-url-mb allows",
    );
    assertEquals((await read("/large", { ...web, maxBytes: 1200 })).length, 1200);
    assertEquals(
      await read("/slow", { ...web, timeoutMs: 50 }),
      "Cannot fetch the photo: it took longer than 50 ms, which --url-timeout-ms allows",
    );
  }));

test("an address that nobody answers at is refused in one sentence", async () => {
  const [[, text]] = await readAll(["http://127.0.0.1:1/a.jpg"], {
    web: { maxBytes: 1, timeoutMs: 5000 },
  }) as [
    [string, string],
  ];
  assertMatch(text, /^Cannot fetch the photo: [^\n]+$/);
});

/** A classifier whose answers are the photos' sizes, and that takes no more than that many pixels at once. */
function fakeClassifier(maxBatch: number, maxPixels = Infinity): Classifier & { readonly batches: number[] } {
  const batches: number[] = [];
  return {
    card: { model: "compact", classes: ["a", "b"], preprocess: defaultPreprocess(64), parameters: 0 },
    adapter: "none",
    maxBatch,
    batches,
    classify(images) {
      batches.push(images.length);
      if (images.reduce((sum, { width, height }) => sum + width * height, 0) > maxPixels) {
        return Promise.reject(new ImageError("too-large", "Cannot classify photos: they are too large"));
      }
      return Promise.resolve(images.map(({ width }): Classification => ({
        logits: Float32Array.of(width, 0),
        probabilities: Float32Array.of(1, 0),
      })));
    },
    infer: () => Promise.reject(new Error("nobody asked")),
    memory: () => Promise.resolve(0),
    close: () => Promise.resolve(),
  } as Classifier & { readonly batches: number[] };
}

/** Inputs of photos of these widths; 0 stands for one that cannot be decoded, -1 for one that cannot be read. */
function inputsOf(widths: readonly number[]) {
  return widths.map((width, i) => ({
    name: `${i}`,
    read: async () => {
      if (width === -1) throw new InputError("Cannot read the photo: it is gone");
      if (width === 0) return new TextEncoder().encode("no photo");
      const { data } = drawShape("star", 1, 1);
      return await encodeJpeg({ width, height: 8, data: data.slice(0, width * 8 * 4) });
    },
  }));
}

const answersOf = async (classifier: Classifier, widths: readonly number[]) =>
  (await Array.fromAsync(answerPhotos(classifier, inputsOf(widths)))).map((answer) =>
    "error" in answer ? [answer.file, answer.error.slice(0, 16)] : [answer.file, answer.logits[0]!.logit]
  );

test("photos are answered in batches and in their order, around those that fail", async () => {
  const classifier = fakeClassifier(3);
  assertEquals(await answersOf(classifier, [8, 0, 9, 10, -1, 11, 12]), [
    ["0", 8],
    ["1", "Cannot decode th"],
    ["2", 9],
    ["3", 10],
    ["4", "Cannot read the "],
    ["5", 11],
    ["6", 12],
  ]);
  assertEquals(classifier.batches, [2, 2, 1]);
  assertEquals(await answersOf(classifier, [0, -1]), [["0", "Cannot decode th"], ["1", "Cannot read the "]]);
});

test("photos that are too large for the device together are classified one by one", async () => {
  const classifier = fakeClassifier(4, 20 * 8);
  assertEquals(await answersOf(classifier, [12, 13, 30]), [["0", 12], ["1", 13], ["2", "Cannot classify "]]);
  assertEquals(classifier.batches, [3, 1, 1, 1]);
});

test("what is wrong with the device and not with a photo ends the answers", async () => {
  const broken: Classifier = {
    ...fakeClassifier(2),
    classify: () => Promise.reject(new TypeError("device")),
  };
  await assertRejects(() => answersOf(broken, [8, 9, 10, 11]), TypeError, "device");
});
