/**
 * Weights of other programs, told by their first bytes, so that who brings one hears what it is and how to go on.
 * @module
 */
import { basename, extname } from "@std/path";

/** What a file is, and what to do with it: the end of "Cannot read …: ". */
export function foreignWeights(bytes: Uint8Array, path: string): string | undefined {
  const start = latin1(bytes.subarray(0, 64));
  if (/^PK\x03\x04/.test(start)) return zipped(bytes, path);
  // A pickle says its protocol; a file of PyTorch's before 1.6 goes on with a number of its own.
  if (/^\x80[\x02-\x05][\x20-\xff]/.test(start)) {
    return start.startsWith("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19")
      ? `it is a PyTorch file of the older kind, ${convertText(path)}`
      : `it is a Python pickle, ${convertText(path)}`;
  }
  if (start.startsWith("\x89HDF\r\n\x1a\n")) return `it is an HDF5 file, as Keras writes them, ${KERAS}`;
  // A protobuf message that begins with its version and goes on with another field of an ONNX model.
  if (/^\x08[\x01-\x1f][\x12\x1a\x22\x28\x32\x3a\x42]/.test(start)) {
    return "it is an ONNX model, which is written here and not read: give the weights it was made from, as safetensors";
  }
  return undefined;
}

const KERAS =
  "which is not read here: its weights would have to be renamed and transposed to PyTorch's layout, " +
  "and saved as safetensors";

/** The lines of Python that turn a PyTorch file into one that is read here. */
export function conversionLines(path: string): string[] {
  const out = `${basename(path, extname(path))}.safetensors`;
  return [
    "import torch; from safetensors.torch import save_file",
    `weights = torch.load(${JSON.stringify(path)}, map_location="cpu", weights_only=True)`,
    `save_file(weights.get("state_dict", weights), ${JSON.stringify(out)})`,
  ];
}

function convertText(path: string): string {
  return `which could run code and is not read here; in Python, this makes a safetensors file of it:\n\n${
    conversionLines(path).join("\n")
  }\n`;
}

/** How much of a zip archive's end is looked through for the names of what is in it. */
const DIRECTORY = 65_536;

function zipped(bytes: Uint8Array, path: string): string {
  const names = latin1(bytes.subarray(0, 256)) + latin1(bytes.subarray(-DIRECTORY));
  if (/\/data\.pkl/.test(names)) return `it is a PyTorch file, ${convertText(path)}`;
  if (/model\.weights\.h5|metadata\.json/.test(names)) return `it is a Keras model, ${KERAS}`;
  return "it is a zip archive, wanted a safetensors file: unpack it and name the file in it";
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}
