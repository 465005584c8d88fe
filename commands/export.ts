/** `deno task export`: writes a checkpoint as an ONNX model. */
import { extname } from "@std/path";
import { parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { exportOnnx } from "../formats/onnx.ts";
import { writeFileAtomically } from "../model/checkpoint/files.ts";
import { loadCheckpoint } from "../model/checkpoint/checkpoint.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";

const NAME = "deno task export";

const USAGE = `${NAME} CHECKPOINT OUT.onnx`;

/** Endings that say another format, which whoever opens the file would believe. */
const OTHERS =
  /^\.(bin|ckpt|csv|engine|gguf|h5|json|keras|mlmodel|mlpackage|model|npy|npz|pb|pickle|pkl|pt|pth|pt2|safetensors|tflite|trt|zip)$/i;

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Writes CHECKPOINT, a file or a run's folder, as OUT.onnx (opset 17, any batch size), for onnxruntime and others.",
  flags: {},
  hints: {
    ...Object.fromEntries(
      ["checkpoint", "model", "weights"].map((name) => [name, `it is the first argument: ${USAGE}`]),
    ),
    ...Object.fromEntries(
      ["out", "output", "file", "name"].map((name) => [name, `it is the second argument: ${USAGE}`]),
    ),
    ...Object.fromEntries(
      ["format", "include"].map((name) => [name, `what is written is always ONNX: ${USAGE}`]),
    ),
    opset: "what is written is always opset 17",
  },
  positionals: { name: "FILE", usage: "CHECKPOINT OUT.onnx", min: 2, max: 2, paths: true },
});

await runCommand(NAME, async () => {
  const [from, to] = flags.positionals as [string, string];
  const ending = extname(to);
  if (OTHERS.test(ending)) {
    throw new UsageError(
      `cannot write ${to}: ${ending} says another format than ONNX, call it ${
        to.slice(0, -ending.length)
      }.onnx`,
    );
  }
  const there = await Deno.stat(to).catch(() => undefined);
  if (there?.isDirectory) {
    throw new UsageError(`cannot write ${to}: it is a folder, wanted a file in it, OUT.onnx`);
  }
  const checkpoint = await loadCheckpoint(await checkpointAt(from, (text) => console.error(text)));
  const bytes = exportOnnx(checkpoint);
  await writeFileAtomically(to, bytes);
  console.log(
    `${to}: ${bytes.length} bytes${there === undefined ? "" : ", replaced the file that was there"}`,
  );
});
