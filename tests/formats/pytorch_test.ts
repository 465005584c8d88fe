import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { architecture, ARCHITECTURES } from "../../model/architectures/registry.ts";
import { loadTensors, saveCheckpoint, saveTensors } from "../../model/checkpoint/checkpoint.ts";
import { Network } from "../../model/network.ts";
import { loadWeights } from "../../training/run/transfer.ts";
import { infer, noise, normalisedError, withGpu } from "../model/harness.ts";
import { granted, testNeeding } from "../permissions.ts";
import { someCheckpoint } from "./checkpoints.ts";

/** A Python that has PyTorch; Debian's python3-torch belongs to the system's own. */
const python = ["python3", "/usr/bin/python3"].find((command) => {
  if (!granted("run")) return false;
  try {
    const probe = "import importlib.util as u, sys; sys.exit(u.find_spec('torch') is None)";
    return new Deno.Command(command, { args: ["-c", probe], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
});

const SIZE = 71, CLASSES = 5, BATCH = 2;

testNeeding("read", "write", "run")({
  name: "PyTorch loads our files strictly and computes our logits, and we load PyTorch's files",
  ignore: !python,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      await withGpu(async (gpu) => {
        const models = Object.keys(ARCHITECTURES);
        const input = noise(BATCH * 3 * SIZE * SIZE);
        const expected = new Map<string, { logits: Float32Array; count: number }>();
        for (const model of models) {
          using network = new Network(gpu, architecture(model, { classes: CLASSES, size: SIZE }));
          await saveCheckpoint(join(folder, `${model}.safetensors`), await someCheckpoint(network));
          const logits = await infer(network, input);
          expected.set(model, { logits, count: network.parameters.count });
          await saveTensors(
            join(folder, `${model}.io.safetensors`),
            new Map([
              ["input", { shape: [BATCH, 3, SIZE, SIZE], data: input }],
              ["logits", { shape: [BATCH, CLASSES], data: logits }],
            ]),
          );
        }
        const script = new URL("pytorch_check.py", import.meta.url).pathname;
        const { success, stdout, stderr } = await new Deno.Command(python!, {
          args: [script, folder, ...models],
        })
          .output();
        assert(success, new TextDecoder().decode(stderr));
        const lines = new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
        assertEquals(lines.map((line) => line.model), models);
        for (const { model, parameters, error } of lines) {
          assertEquals(parameters, expected.get(model)!.count, model);
          assert(error < 1e-5, `${model}: normalised error ${error}`);
        }
        for (const model of models) {
          const { tensors } = await loadTensors(join(folder, `${model}.torch.safetensors`));
          using network = new Network(gpu, architecture(model, { classes: CLASSES, size: SIZE }));
          const report = loadWeights(network, tensors);
          assertEquals([report.skipped, report.missing], [[], []], model);
          assert(normalisedError(await infer(network, input), expected.get(model)!.logits) === 0, model);
        }
      });
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});
