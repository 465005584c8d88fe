/** One picture in every format, from the file to the answer: through the cache that training reads, by `predict` and by `serve`. */
import { assert, assertAlmostEquals, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import product from "../../deno.json" with { type: "json" };
import { openPhotoStore } from "../../data/dataset/cache.ts";
import { decodeImage } from "../../data/image/decode.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { encodeBmp, encodeJpeg } from "../data/encoders.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { withGpu } from "../model/harness.ts";
import { testNeeding } from "../permissions.ts";
import { textLines } from "../server/fixture.ts";

const test = testNeeding("all");
const ROOT = new URL("../../", import.meta.url);

const fixture = (name: string) => Deno.readFile(new URL(`../fixtures/photos/${name}`, import.meta.url));

/** The picture of the fixtures in each format; the JPEG is first. */
async function pictures(): Promise<Record<string, Uint8Array<ArrayBuffer>>> {
  const lossless = await decodeImage(await fixture("lossless.webp"));
  const { width, height, data } = lossless;
  const row = (y: number) =>
    Array.from({ length: width }, (_, x) => (y * width + x) * 4).flatMap((
      i,
    ) => [data[i + 2]!, data[i + 1]!, data[i]!]);
  const rows = Array.from({ length: height }, (_, y) => row(height - 1 - y));
  return {
    "a.jpg": await encodeJpeg(lossless, { quality: 98 }),
    "a.webp": await fixture("quarters.webp"),
    "a.bmp": encodeBmp({ width, height, bits: 24, rows }),
    "a.avif": await fixture("quarters.avif"),
    "a.heic": await fixture("quarters.heic"),
  };
}

/** The middle of the picture is another: its header is whole. */
function spoilt(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return bytes.slice(0, Math.ceil(bytes.length * 0.9));
}

interface Answer {
  readonly file: string;
  readonly class?: string;
  readonly probability: number;
  readonly error?: string;
}

test("one picture in every format has one class, by the cache, predict and serve; damaged ones are named and left out", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const photos = await pictures(), good = Object.keys(photos);
    for (const [name, bytes] of Object.entries(photos)) {
      await Deno.writeFile(join(dir, name), bytes);
      await Deno.writeFile(join(dir, name.replace("a.", "cut.")), spoilt(bytes));
    }
    const bad = good.map((name) => name.replace("a.", "cut."));
    const checkpoint = join(dir, "model.safetensors");
    await withGpu(async (gpu) => {
      using network = new Network(gpu, architecture("compact", { classes: 3, size: 67 }));
      await saveCheckpoint(checkpoint, await someCheckpoint(network));
    });

    const samples = [...good, ...bad].map((name) => ({ path: join(dir, name), label: 0, class: "x" }));
    for (const origin of ["built", "cached"]) {
      using store = await openPhotoStore(samples, { cacheDir: join(dir, "cache"), workers: 1 });
      assertEquals(store.origin, origin);
      assertEquals(store.skipped.map(({ path }) => path), bad.map((name) => join(dir, name)));
      const pixels = store.entries.map(({ width, height }, i) => {
        const data = new Uint8Array(width * height * 4);
        store.readInto(i, data);
        return data;
      });
      for (const data of pixels) {
        const difference = data.reduce((sum, value, i) => sum + Math.abs(value - pixels[0]![i]!), 0);
        assert(difference / data.length < 4, `${difference / data.length}`); // they are lossy, at the edges of colours
      }
    }

    const files = [...good, ...bad].map((name) => join(dir, name));
    const predicting = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "commands/predict.ts", "--checkpoint", checkpoint, "--json", ...files],
      cwd: ROOT,
    });
    const predicted = await predicting.output();
    assertEquals(predicted.code, 1);
    const answers: Answer[] = JSON.parse(new TextDecoder().decode(predicted.stdout));
    const [first] = answers;
    for (const answer of answers.slice(0, good.length)) {
      assertEquals(answer.class, first!.class, answer.file);
    }
    for (const { error } of answers.slice(good.length)) {
      assertMatch(error!, /^Cannot decode the (image|[A-Za-z]+): /);
    }

    // With the permissions that the task has, and no more.
    const permissions = product.tasks.serve.command.match(/(?<=deno run ).*(?= serve\.ts)/)![0].split(" ");
    const args = ["run", ...permissions, "serve.ts", "--port", "0", "--checkpoint", checkpoint];
    await using server = new Deno.Command(Deno.execPath(), {
      args,
      cwd: ROOT,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let url = "";
    for await (const line of textLines(server.stdout)) {
      const { message, url: found } = JSON.parse(line);
      if (message === "ready") url = found;
      if (url) break;
    }
    const post = (name: string) =>
      Deno.readFile(join(dir, name)).then((body) => fetch(new URL("predict", url), { method: "POST", body }));
    for (const [i, name] of good.entries()) {
      const response = await post(name), answer: Answer = await response.json();
      assertEquals(
        [response.status, answer.class],
        [200, first!.class],
        `${name}: ${JSON.stringify(answer)}`,
      );
      assertAlmostEquals(answer.probability, answers[i]!.probability, 1e-4); // in batches of other sizes
    }
    for (const name of bad) {
      const response = await post(name);
      assertEquals(response.status, 400, name);
      await response.body?.cancel();
    }
    server.kill("SIGTERM");
    await server.status;
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
