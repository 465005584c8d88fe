/** `deno task export`: writes a checkpoint as an ONNX model. */
import { parseOrExit } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { exportOnnx } from "../formats/onnx.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { loadCheckpoint } from "../model/checkpoint/checkpoint.ts";

const NAME = "deno task export";

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary: "Writes CHECKPOINT as OUT.onnx (opset 17, any batch size), for onnxruntime and other programs.",
  flags: {},
  positionals: { name: "FILE", min: 2, max: 2 },
});

await runCommand(NAME, async () => {
  const [from, to] = flags.positionals as [string, string];
  const checkpoint = await loadCheckpoint(from);
  const bytes = exportOnnx(checkpoint);
  await writeFileAtomically(to, bytes);
  console.log(`${to}: ${bytes.length} bytes`);
});
