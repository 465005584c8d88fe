import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { DecoderPool } from "../../data/image/decoder_pool.ts";
import { drawShape, encodeJpeg } from "../../data/shapes/shape_drawing.ts";
import { decodeSide } from "../../data/preprocess.ts";
import { saveCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { createClassifier } from "../../model/inference/load.ts";
import { gpu } from "../gpu.ts";
import { checkpointOf } from "../model/inference/small_checkpoint.ts";
import { testNeeding } from "../permissions.ts";

const test = testNeeding("all");
const script = new URL("../../commands/explain.ts", import.meta.url).pathname;

async function explain(dir: string, ...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", script, "--checkpoint", join(dir, "a.safetensors"), ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

test("explain writes a photo with its map of the class and layer that were asked for, and names what is wrong with others", async () => {
  const dir = await Deno.makeTempDir(), photos = join(dir, "photos"), out = join(dir, "out");
  try {
    const checkpoint = checkpointOf(3, 5);
    await saveCheckpoint(join(dir, "a.safetensors"), checkpoint);
    await Deno.mkdir(photos);
    const jpeg = await encodeJpeg(drawShape("star", 1, 1));
    await Deno.writeFile(join(photos, "star.jpg"), jpeg);
    await Deno.writeTextFile(join(photos, "broken.jpg"), "no photo");
    const asked = ["--class", "class 2", "--layer", "features.3", "--out", out, "--json"];
    const { code, out: printed, err } = await explain(dir, photos, ...asked);
    assertEquals(code, 1, err);
    const [broken, star] = JSON.parse(printed);
    assertStringIncludes(broken.error, "Cannot decode the image");
    const { class: name, probability, map, picture } = star;
    assertEquals([name, picture], ["class 2", join(out, "star.gradcam.jpg")]);

    await using pool = new DecoderPool({ workers: 1 });
    const shorterSide = decodeSide(checkpoint.card.preprocess);
    const photo = await pool.decode(jpeg.slice(), { shorterSide });
    const classifier = await createClassifier(checkpoint, { gpu, maxBatch: 1 });
    const [answer] = await classifier.classify([photo]);
    assertAlmostEquals(probability, answer!.probabilities[2]!, 1e-5);
    const wanted = await classifier.explain(photo, { label: 2, layer: "features.3" });
    const last = await classifier.explain(photo, { label: 2 });
    assert(wanted.width > last.width, "an earlier layer's map is finer");
    assertEquals([map.width, map.height], [wanted.width, wanted.height]);
    wanted.data.forEach((value, i) => assertAlmostEquals(map.values[i], value, 1e-4));
    await classifier.close();

    const size = (image: { width: number; height: number }) => [image.width, image.height];
    const written = await pool.decode(await Deno.readFile(picture), {});
    const original = await pool.decode(jpeg, {});
    assertEquals(size(written), size(original));
    const difference = written.data.reduce((sum, v, i) => sum + Math.abs(v - original.data[i]!), 0);
    assert(difference / written.data.length > 2, "the map is laid over the photo");

    const unknown = await explain(dir, photos, "--layer", "classifier.0");
    assertEquals(unknown.code, 2);
    assertStringIncludes(
      unknown.err,
      "--layer classifier.0 makes no map; those that do: features.0, features.1",
    );
    const other = await explain(dir, photos, "--class", "cow");
    assertEquals(other.code, 2);
    assertStringIncludes(other.err, "--class cow is none of the model's: class 0, class 1, class 2");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
