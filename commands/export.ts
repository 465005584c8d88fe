/** `deno task export`: writes a checkpoint as an ONNX model. */
import { parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { exportOnnx } from "../formats/onnx.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { loadCheckpoint } from "../model/checkpoint/checkpoint.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";

const NAME = "deno task export";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Writes CHECKPOINT, a file or a run's folder, as OUT.onnx (opset 17, any batch size), for onnxruntime and others.",
  flags: {},
  positionals: { name: "FILE", min: 2, max: 2, paths: true },
});

await runCommand(NAME, async () => {
  const [from, to] = flags.positionals as [string, string];
  const checkpoint = await loadCheckpoint(await checkpointAt(from));
  const bytes = exportOnnx(checkpoint);
  await writeFileAtomically(to, bytes);
  console.log(`${to}: ${bytes.length} bytes`);
});
