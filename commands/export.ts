/** `deno task export`: writes a checkpoint as an ONNX model, or as a static folder of web pages. */
import { extname, join } from "@std/path";
import { format as formatBytes } from "@std/fmt/bytes";
import { flag, parseOrExit, UsageError } from "./cli/args.ts";
import { runCommand } from "./cli/failures.ts";
import { isDirectory, isFile } from "../engine/files.ts";
import { exportOnnx } from "../formats/onnx.ts";
import { readWeightsFile, writeFileAtomically } from "../model/checkpoint/files.ts";
import { decodeCheckpoint, loadCheckpoint } from "../model/checkpoint/checkpoint.ts";
import { checkpointAt } from "../model/checkpoint/runs.ts";
import { modelNameOf } from "../server/inference/checkpoint_file.ts";
import { SERVICE_WORKER, writeWebFolder } from "./web/folder.ts";

const NAME = "deno task export";

const USAGE = `${NAME} CHECKPOINT OUT.onnx`;
const WEB_USAGE = `${NAME} CHECKPOINT --web DIR`;

/** Endings that say another format, which whoever opens the file would believe. */
const OTHERS =
  /^\.(bin|ckpt|csv|engine|gguf|h5|json|keras|mlmodel|mlpackage|model|npy|npz|pb|pickle|pkl|pt|pth|pt2|safetensors|tflite|trt|zip)$/i;

const flags = parseOrExit(Deno.args, {
  name: NAME,
  summary:
    "Writes CHECKPOINT, a file or a run's folder, as OUT.onnx (opset 17, any batch size), for onnxruntime and others, " +
    "or as a folder of web pages.",
  flags: {
    web: flag.path({
      help:
        "write a static folder instead: a page that classifies photos on its visitors' own devices, for any web host",
      value: "DIR",
    }),
  },
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
  positionals: {
    name: "FILE",
    usage: "CHECKPOINT OUT.onnx, or CHECKPOINT --web DIR",
    min: 1,
    max: 2,
    paths: true,
  },
});

await runCommand(NAME, async () => {
  const [from, to] = flags.positionals as [string, string | undefined];
  if (flags.web === undefined) await exportModel(from, to);
  else if (to !== undefined) {
    throw new UsageError(`unexpected argument ${JSON.stringify(to)}, expected ${WEB_USAGE}`);
  } else await exportPages(from, flags.web);
});

async function exportModel(from: string, to: string | undefined): Promise<void> {
  if (to === undefined) {
    throw new UsageError("got 1 argument, expected exactly 2: CHECKPOINT OUT.onnx, or CHECKPOINT --web DIR");
  }
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
}

async function exportPages(from: string, folder: string): Promise<void> {
  if (isFile(folder)) throw new UsageError(`cannot write ${folder}: it is a file, wanted a folder`);
  const taken = isDirectory(folder) && !isFile(join(folder, SERVICE_WORKER)) &&
    !Deno.readDirSync(folder)[Symbol.iterator]().next().done;
  if (taken) {
    throw new UsageError(
      `cannot write ${folder}: there are other files in it, wanted a new or empty folder, or one that was written before`,
    );
  }
  const path = await checkpointAt(from, (text) => console.error(text));
  const weights = await readWeightsFile(path);
  const { card } = decodeCheckpoint(weights, path);
  const { files, bytes, compressed } = await writeWebFolder(folder, {
    name: modelNameOf(path),
    card,
    weights,
  });
  console.log(
    `${folder}: ${files} files, ${formatBytes(bytes)}, ${
      formatBytes(compressed)
    } as web servers compress them. ` +
      "Put it on any web host; browsers offer WebGPU over HTTPS and on localhost alone.",
  );
}
