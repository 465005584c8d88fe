import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "@std/path";
import type { ModelCard } from "../../../model/checkpoint/card.ts";
import { cardFromMetadata, cardToMetadata } from "../../../model/checkpoint/card.ts";
import {
  CheckpointError,
  decodeCheckpoint,
  encodeCheckpoint,
  loadCheckpoint,
  loadTensors,
  saveCheckpoint,
  saveTensors,
} from "../../../model/checkpoint/checkpoint.ts";
import { parseSafetensors, writeSafetensors } from "../../../model/checkpoint/safetensors.ts";
import { testNeeding } from "../../permissions.ts";

const onDisk = testNeeding("read", "write");

const card: ModelCard = {
  model: "compact",
  classes: ["dog", "brown bear, honey", "鳥"],
  preprocess: {
    height: 224,
    width: 192,
    channels: "BGR",
    resize: "stretch",
    antialias: false,
    mean: [0, 0.1, 0.30000000000000004],
    std: [1, 1e-7, 0.25],
  },
  parameters: 111_267,
  training: { run: "r", epoch: 3, step: 120, validationAccuracy: 0.875, confusion: [[1, 0], [2, 3]] },
  split: { rule: 2, seed: 7, origin: "SPLIT.tsv", train: "AAECAw==", valid: "", test: "BAUGBw==" },
};
const tensors = new Map([
  ["features.0.weight", { shape: [2, 1, 1, 2], data: Float32Array.of(1, -0, 3e-45, 3.4e38) }],
  ["features.1.running_mean", { shape: [2], data: Float32Array.of(0.5, 2) }],
]);

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map((entry) => entry.name);
}

Deno.test("a checkpoint comes back as it was", () => {
  const extras = { note: "kept", description: "{}" };
  assertEquals(decodeCheckpoint(encodeCheckpoint({ card, tensors, extras })), { card, tensors, extras });
  const { training: _, ...untrained } = card;
  const back = decodeCheckpoint(encodeCheckpoint({ card: untrained, tensors }));
  assertEquals(back, { card: untrained, tensors, extras: {} });
});

Deno.test("the bytes of a checkpoint depend on nothing but its content", () => {
  assertEquals(encodeCheckpoint({ card, tensors }), encodeCheckpoint({ card, tensors: new Map(tensors) }));
});

Deno.test("PyTorch's step counters are written beside running statistics and ignored when read", () => {
  const raw = parseSafetensors(encodeCheckpoint({ card, tensors }));
  const counter = raw.tensors.get("features.1.num_batches_tracked")!;
  assertEquals(counter, { dtype: "I64", shape: [], data: Float32Array.of(120) });
  assertEquals(raw.tensors.size, 3);
});

Deno.test("metadata that is missing or wrong is named", () => {
  const good = cardToMetadata(card);
  const wrong = (change: Record<string, string | undefined>, words: string) => {
    const changed = Object.fromEntries(
      Object.entries({ ...good, ...change }).filter((e): e is [string, string] => e[1] !== undefined),
    );
    assertThrows(() => cardFromMetadata(changed, "f"), CheckpointError, words);
  };
  wrong({ model: undefined }, "its metadata names no model");
  wrong({ classes: undefined }, "classes in its metadata is wrong");
  wrong({ classes: "[]" }, "classes in its metadata is wrong");
  wrong({ classes: "[" }, "classes in its metadata is wrong");
  wrong(
    { classes: '["a","b","a"]' },
    'classes in its metadata is wrong (it has "a" twice, wanted each once)',
  );
  wrong({ image_size: "[224]" }, "preprocess.width in its metadata is wrong");
  wrong({ image_size: "224" }, "preprocess.height in its metadata is wrong");
  wrong({ channel_order: "RGBA" }, "preprocess.channels in its metadata is wrong");
  wrong({ std: "[1,0,1]" }, "preprocess.std.1 in its metadata is wrong");
  wrong({ antialias: "maybe" }, "preprocess.antialias in its metadata is wrong");
  wrong({ parameters: "-1" }, "parameters in its metadata is wrong");
  wrong({ training: '{"epoch":-1}' }, "training.epoch in its metadata is wrong");
  const plain = writeSafetensors(tensors, { format: "pt" });
  assertThrows(() => decodeCheckpoint(plain, "plain.safetensors"), CheckpointError, "plain.safetensors");
});

Deno.test("a class that is there twice is not written", () => {
  const twice = { ...card, classes: ["1", "2", "1"] };
  assertThrows(
    () => encodeCheckpoint({ card: twice, tensors }),
    CheckpointError,
    'its classes have "1" twice',
  );
});

for (const name of ["features.0.weight", "features.0.bias", "features.1.running_mean", "classifier.1.bias"]) {
  Deno.test(`a value of ${name} that is not finite is refused by name and place`, () => {
    const whole = new Map([
      ["features.0.weight", { shape: [40_000], data: new Float32Array(40_000).fill(0.5) }],
      ["features.0.bias", { shape: [3], data: Float32Array.of(1, 2, 3) }],
      ["features.1.running_mean", { shape: [3], data: Float32Array.of(1, 2, 3) }],
      ["classifier.1.bias", { shape: [1], data: Float32Array.of(3.4e38) }],
    ]);
    assertEquals(decodeCheckpoint(encodeCheckpoint({ card, tensors: whole })).tensors, whole);
    const { data } = whole.get(name)!;
    const index = data.length - 1;
    for (const value of [NaN, Infinity, -Infinity]) {
      data[index] = value;
      assertThrows(
        () => decodeCheckpoint(encodeCheckpoint({ card, tensors: whole }), "best.safetensors"),
        CheckpointError,
        `Cannot use best.safetensors: value ${index} of ${name} is ${value}, wanted finite numbers`,
      );
    }
  });
}

Deno.test("a value that is finite in float64 and not in float32 is refused, too", () => {
  const header = {
    w: { dtype: "F64", shape: [1], data_offsets: [0, 8] },
    __metadata__: cardToMetadata(card),
  };
  const text = new TextEncoder().encode(JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + 8);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  view.setFloat64(8 + text.length, 1e300, true);
  assertThrows(() => decodeCheckpoint(bytes), CheckpointError, "value 0 of w is Infinity");
});

onDisk(
  "weights and training state that are not finite are refused with file and tensor",
  () =>
    inFolder(async (folder) => {
      const path = join(folder, "last.state.safetensors");
      const state = new Map([["optimizer.velocity.fc.weight", {
        shape: [2],
        data: Float32Array.of(1, NaN),
      }]]);
      await saveTensors(path, state);
      const words = `Cannot use ${path}: value 1 of optimizer.velocity.fc.weight is NaN`;
      await assertRejects(() => loadTensors(path), CheckpointError, words);
    }),
);

onDisk("a file is replaced in one step and leaves nothing beside it", () =>
  inFolder(async (folder) => {
    const path = join(folder, "best.safetensors");
    await saveCheckpoint(path, { card: { ...card, parameters: 1 }, tensors });
    await saveCheckpoint(path, { card, tensors });
    assertEquals((await loadCheckpoint(path)).card, card);
    assertEquals(names(folder), ["best.safetensors"]);
  }));

onDisk("training state is kept in a file of its own", () =>
  inFolder(async (folder) => {
    const path = join(folder, "last.state.safetensors");
    const state = new Map([["velocity.0", { shape: [3], data: Float32Array.of(1, 2, 3) }]]);
    await saveTensors(path, state, { step: "12" });
    const back = await loadTensors(path);
    assertEquals(back.metadata, { step: "12" });
    assertEquals([...back.tensors.get("velocity.0")!.data], [1, 2, 3]);
  }));

onDisk("a file that cannot be read or written is named", () =>
  inFolder(async (folder) => {
    const absent = join(folder, "absent.safetensors");
    await assertRejects(() => loadCheckpoint(absent), CheckpointError, `${absent}: there is no such file`);
    await assertRejects(() => loadCheckpoint(folder), CheckpointError, folder);
    const within = join(folder, "no", "such", "folder.safetensors");
    await assertRejects(
      () => saveCheckpoint(within, { card, tensors }),
      CheckpointError,
      `Cannot write ${within}`,
    );
    await assertRejects(() => saveCheckpoint(folder, { card, tensors }), CheckpointError, "Cannot write");
    assertEquals(names(folder), []);
  }));

testNeeding("all")({
  name: "a write that fails halfway leaves the old file and no other",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    inFolder(async (folder) => {
      const path = join(folder, "best.safetensors");
      await Deno.writeTextFile(path, "old");
      const script = join(folder, "write.ts");
      const module = new URL("../../../model/checkpoint/checkpoint.ts", import.meta.url);
      await Deno.writeTextFile(
        script,
        `import { saveTensors } from ${JSON.stringify(module.href)};
         const data = new Float32Array(100_000);
         await saveTensors(Deno.args[0]!, new Map([["w", { shape: [100_000], data }]]));`,
      );
      // A file size limit stands in for a full disk: the write stops after 64 KiB of 400 KB.
      const config = new URL("../../../deno.json", import.meta.url).pathname;
      const shell = `trap "" XFSZ; ulimit -f 64; exec "$0" run -A --no-lock --config "$1" "$2" "$3"`;
      const { code, stderr } = await new Deno.Command("bash", {
        args: ["-c", shell, Deno.execPath(), config, script, path],
        env: { NO_COLOR: "1" },
      }).output();
      const said = new TextDecoder().decode(stderr);
      assertEquals(code, 1);
      assert(/CheckpointError: Cannot write .*best\.safetensors: .*; what was there before/.test(said), said);
      assertEquals(await Deno.readTextFile(path), "old");
      assertEquals(names(folder).sort(), ["best.safetensors", "write.ts"]);
    }),
});
