import { assert, assertEquals, assertThrows } from "@std/assert";
import { DecoderPool } from "../../data/image/decoder_pool.ts";
import { HERMOSAYHL_CNN_PREPROCESS, readHermosayhlCnn } from "../../formats/hermosayhl_cnn.ts";
import { decodeSide } from "../../data/preprocess.ts";
import { CheckpointError, decodeCheckpoint, encodeCheckpoint } from "../../model/checkpoint/checkpoint.ts";
import { createClassifier } from "../../model/inference/load.ts";
import { withGpu } from "../model/harness.ts";
import { haveSeed, seedJson, seedPath } from "../model/hermosayhl_cnn.ts";
import { testNeeding } from "../permissions.ts";

const classes = ["dog", "panda", "bird"];
const CONVOLUTIONS = [[3, 16], [16, 32], [32, 64], [64, 128]] as const;

/** A file whose values count up from 0, and for each of its pieces where it begins. */
function counting(count: number, perChannel: string[]): { bytes: Uint8Array; starts: Map<string, number> } {
  const starts = new Map<string, number>();
  let at = 0;
  const piece = (name: string, size: number) => {
    starts.set(name, at);
    at += size;
  };
  CONVOLUTIONS.forEach(([from, to], i) => {
    piece(`conv ${i} weight`, to * from * 9);
    piece(`conv ${i} bias`, to);
    for (const name of perChannel) piece(`norm ${i} ${name}`, to);
  });
  piece("linear weight", 4608 * count);
  piece("linear bias", count);
  return { bytes: new Uint8Array(Float32Array.from({ length: at }, (_, i) => i).buffer), starts };
}

Deno.test("a plain file is read piece by piece, the linear weights turned over", () => {
  const { bytes, starts } = counting(3, []);
  assertEquals(bytes.length, 445_068);
  const { card, tensors, lacksStatistics } = readHermosayhlCnn(bytes, classes);
  assertEquals(card, {
    model: "compact",
    classes,
    preprocess: HERMOSAYHL_CNN_PREPROCESS,
    parameters: 111_267,
  });
  assertEquals(lacksStatistics, false);
  assertEquals([...tensors.keys()].filter((name) => name.endsWith("weight")), [
    "features.0.weight",
    "features.3.weight",
    "features.5.weight",
    "features.7.weight",
    "classifier.1.weight",
  ]);
  const conv = tensors.get("features.3.weight")!;
  assertEquals(conv.shape, [32, 16, 3, 3]);
  assertEquals([conv.data[0], conv.data.at(-1)], [
    starts.get("conv 1 weight"),
    starts.get("conv 1 bias")! - 1,
  ]);
  const { shape, data } = tensors.get("classifier.1.weight")!;
  assertEquals(shape, [3, 4608]);
  for (const [out, input] of [[0, 0], [2, 0], [1, 4607], [0, 1000]] as const) {
    assertEquals(data[out * 4608 + input], starts.get("linear weight")! + input * 3 + out);
  }
  assertEquals([...tensors.get("classifier.1.bias")!.data], [111_264, 111_265, 111_266]);
});

Deno.test("a file with batch normalisation is read with its statistics, an older one without", () => {
  const full = counting(3, ["weight", "bias", "running_mean", "running_var"]);
  assertEquals(full.bytes.length, 448_908);
  const model = readHermosayhlCnn(full.bytes, classes);
  assertEquals([model.card.model, model.card.parameters, model.lacksStatistics], [
    "compact-bn",
    111_747,
    false,
  ]);
  for (const name of ["weight", "bias", "running_mean", "running_var"]) {
    assertEquals(model.tensors.get(`features.5.${name}`)!.data[0], full.starts.get(`norm 1 ${name}`), name);
  }
  assertEquals(model.tensors.get("classifier.1.bias")!.data[0], full.starts.get("linear bias"));

  const older = counting(3, ["weight", "bias"]);
  assertEquals(older.bytes.length, 446_988);
  const lacking = readHermosayhlCnn(older.bytes, classes);
  assertEquals([lacking.card.model, lacking.lacksStatistics], ["compact-bn", true]);
  assertEquals(lacking.tensors.get("features.11.weight")!.data[0], older.starts.get("norm 3 weight"));
  assertEquals(lacking.tensors.get("features.8.bias")!.data[0], older.starts.get("norm 2 bias"));
  assertEquals([...new Set(lacking.tensors.get("features.8.running_mean")!.data)], [0]);
  assertEquals([...new Set(lacking.tensors.get("features.8.running_var")!.data)], [1]);
});

Deno.test("files for another number of classes are read too", () => {
  const { bytes } = counting(5, []);
  assertEquals(
    readHermosayhlCnn(bytes, ["a", "b", "c", "d", "e"]).tensors.get("classifier.1.weight")!.shape,
    [
      5,
      4608,
    ],
  );
  assertThrows(() => readHermosayhlCnn(bytes, classes), CheckpointError);
});

Deno.test("a file of another size is refused with the sizes there are", () => {
  const { bytes } = counting(3, []);
  for (const length of [0, 1, 445_064, 445_067]) {
    const error = assertThrows(
      () => readHermosayhlCnn(bytes.subarray(0, length), classes, "x.model"),
      CheckpointError,
    );
    assertEquals(
      error.message,
      `Cannot convert x.model: it has ${length} bytes, a model of 3 classes has 445068 (without batch normalisation), ` +
        `448908 (with it), 446988 (with it, in the older kind without moving statistics)`,
    );
  }
  assertThrows(
    () => readHermosayhlCnn(new Uint8Array(500_000_000), classes),
    CheckpointError,
    "500000000 bytes",
  );
});

Deno.test("a file with a value that is no number is refused by the tensor's name", () => {
  const { bytes } = counting(3, []);
  const values = new Float32Array(bytes.buffer);
  for (const value of [NaN, Infinity]) {
    values[500] = value;
    assertThrows(
      () => readHermosayhlCnn(bytes, classes),
      CheckpointError,
      `value 52 of features.3.weight is ${value}`,
    );
  }
});

testNeeding("all")({
  name: "the C++ program's answers for its 15 photos are reproduced from the photos themselves",
  ignore: !haveSeed,
  fn: () =>
    withGpu(async (gpu) => {
      const { checkpoint, images } = seedJson("forward.json");
      const model = readHermosayhlCnn(Deno.readFileSync(seedPath(checkpoint)), classes);
      // Through a file: its metadata must carry the preparation of the photos.
      const classifier = await createClassifier(decodeCheckpoint(encodeCheckpoint(model)), {
        gpu,
        maxBatch: 1,
      });
      await using pool = new DecoderPool({ workers: 1 });
      let worst = 0;
      for (const { image, probs, class: expected } of images) {
        const file = Deno.readFileSync(seedPath(image));
        const photo = await pool.decode(file, { shorterSide: decodeSide(classifier.card.preprocess) });
        const probabilities = (await classifier.classify([photo]))[0]!.probabilities;
        assertEquals(classes[probabilities.indexOf(Math.max(...probabilities))], expected, image);
        worst = Math.max(worst, ...[...probabilities].map((p, i) => Math.abs(p - probs[i])));
      }
      await classifier.close();
      assert(worst < 0.02, `a probability differs by ${worst}`);
    }),
});
