import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { drawShape, encodeJpeg } from "../../data/shapes/shape_drawing.ts";
import { architecture } from "../../model/architectures/registry.ts";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { someCheckpoint } from "../formats/checkpoints.ts";
import { withGpu } from "../model/harness.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");

const script = new URL("../../commands/predict.ts", import.meta.url).pathname;

/** A folder with a checkpoint of these classes, spoilt by `spoil`, and a photo: what `predict --json` says to it. */
async function predict(
  classes: readonly string[],
  spoil: (data: Float32Array) => void = () => {},
  ...flags: string[]
) {
  const dir = await Deno.makeTempDir();
  try {
    const checkpoint = join(dir, "a.safetensors"), photo = join(dir, "a.jpg");
    await withGpu(async (gpu) => {
      using network = new Network(gpu, architecture("compact", { classes: classes.length, size: 67 }));
      const { card, tensors } = await someCheckpoint(network);
      spoil(tensors.get("features.0.weight")!.data);
      await saveCheckpoint(checkpoint, { card: { ...card, classes: [...classes] }, tensors });
    });
    await Deno.writeFile(photo, await encodeJpeg(drawShape("star", 1, 1)));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", script, "--checkpoint", checkpoint, "--json", photo, ...flags],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder();
    return { code, out: text.decode(stdout), err: text.decode(stderr), checkpoint };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

test("predict tells classes whose names are numbers in the order of their probabilities", async () => {
  const { code, out, err } = await predict(["10", "2", "1", "0"]);
  assertEquals(code, 0, err);
  const [answer] = JSON.parse(out);
  const { class: best, probability, probabilities, logits } = answer;
  assertEquals(probabilities[0], { class: best, probability });
  assertEquals(probabilities.map((c: { class: string }) => c.class).toSorted(), ["0", "1", "10", "2"]);
  for (let i = 1; i < probabilities.length; i++) {
    assert(probabilities[i - 1].probability >= probabilities[i].probability);
    assert(logits[i - 1].logit >= logits[i].logit);
  }
  const names = (list: { class: string }[]) => list.map((told) => told.class);
  assertEquals(names(logits), names(probabilities));
});

test("predict --tta answers by mirrored copies too", async () => {
  const logits = async (...flags: string[]) => {
    const { code, out, err } = await predict(["a", "b"], () => {}, ...flags);
    assertEquals(code, 0, err);
    return JSON.parse(out)[0].logits as { class: string; logit: number }[];
  };
  const plain = await logits(), both = await logits("--tta");
  assertEquals(both.length, 2);
  for (const { class: name, logit } of plain) assert(both.find((b) => b.class === name)!.logit !== logit);
});

test("predict refuses a checkpoint whose first layer is not finite, though its answers would be", async () => {
  const { code, out, err, checkpoint } = await predict(["a", "b"], (data) => data.fill(NaN));
  assertEquals([code, out], [1, ""]);
  assertStringIncludes(err, `Cannot use ${checkpoint}: value 0 of features.0.weight is NaN`);
});

test("predict answers what it can of files, folders and standard input, and names what it cannot", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const best = join(dir, "run", "best.safetensors"), [star, circle] = ["star", "circle"] as const;
    await Deno.mkdir(join(dir, "run"));
    await Deno.mkdir(join(dir, "photos"));
    await withGpu(async (gpu) => {
      using network = new Network(gpu, architecture("compact", { classes: 3, size: 67 }));
      await saveCheckpoint(best, await someCheckpoint(network));
    });
    const piped = await encodeJpeg(drawShape(star, 1, 1));
    await Deno.writeFile(join(dir, "photos", "1.jpg"), piped);
    await Deno.writeFile(join(dir, "photos", "2.jpg"), await encodeJpeg(drawShape(circle, 2, 1)));
    await Deno.writeTextFile(join(dir, "broken.jpg"), "no photo");
    const run = async (...args: string[]) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", script, "--checkpoint", "run", ...args],
        cwd: dir,
        env: { NO_COLOR: "1" },
        ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
      }).spawn();
      const input = child.stdin.getWriter();
      await input.write(piped);
      await input.close();
      const { code, stdout, stderr } = await child.output(), text = new TextDecoder();
      return { code, out: text.decode(stdout), err: text.decode(stderr) };
    };
    const given = ["photos", "none.jpg", "-", "broken.jpg", "http://127.0.0.1:1/a.jpg"];
    const { code, out, err } = await run(...given);
    assertEquals(code, 1);
    assertEquals(out.trim().split("\n").map((line) => line.split(":")[0]), [
      "photos/1.jpg",
      "photos/2.jpg",
      "-",
    ]);
    assertEquals(
      err,
      [
        "deno task predict: none.jpg: Cannot read the photo: there is no such file",
        "deno task predict: broken.jpg: Cannot decode the image: it is no JPEG, PNG, GIF, TIFF, WebP, BMP, AVIF or HEIC",
        "deno task predict: http://127.0.0.1:1/a.jpg: Cannot fetch the photo: it is a web address, which only " +
        "--allow-urls lets be fetched",
        "deno task predict: 3 of 6 photos have no answer\n",
      ].join("\n"),
    );
    const json = await run("--json", "--batch-size", "2", ...given);
    const answers: { file: string; error?: string; logits?: unknown }[] = JSON.parse(json.out);
    assertEquals([json.code, json.err], [1, "deno task predict: 3 of 6 photos have no answer\n"]);
    assertEquals(answers.map(({ file, error }) => [file, error?.split(":")[0]]), [
      ["photos/1.jpg", undefined],
      ["photos/2.jpg", undefined],
      ["none.jpg", "Cannot read the photo"],
      ["-", undefined],
      ["broken.jpg", "Cannot decode the image"],
      ["http://127.0.0.1:1/a.jpg", "Cannot fetch the photo"],
    ]);
    assertEquals(answers[3]!.logits, answers[0]!.logits); // the same photo
    const good = await run("photos");
    assertEquals([good.code, good.err], [0, ""]);
    const twice = await run("-", "-");
    assertEquals([twice.code, twice.out], [2, ""]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
