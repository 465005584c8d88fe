/**
 * Weights of other programs, told by their first bytes, so that who brings one hears what it is and how to go on.
 * @module
 */
/** Beginnings of files, as Latin-1. */
const ZIP = "PK\x03\x04", HDF5 = "\x89HDF\r\n\x1a\n";

/** A pickle of the number that PyTorch's files began with before its version 1.6. */
const OLD_PYTORCH = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/** First bytes of the fields that can follow the version in an ONNX model: producer and its version, domain, text, graph, operators. */
const ONNX_FIELDS = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42];

/** What a file is, and what to do with it, as the end of "Cannot read …: "; undefined where it is nothing that is known. */
export function foreignWeights(bytes: Uint8Array, path: string): string | undefined {
  const start = latin1(bytes.subarray(0, 64)), [first = 0, second = 0, third = 0] = bytes;
  if (start.startsWith(ZIP)) return zipped(bytes, path);
  if (start.startsWith(HDF5)) return `it is an HDF5 file, as Keras writes them, ${KERAS}`;
  if (start.startsWith(OLD_PYTORCH)) return `it is a PyTorch file of the older kind, ${convertText(path)}`;
  // A pickle says its protocol first, and goes on with an instruction, of which nearly all are printable.
  if (first === 0x80 && second >= 2 && second <= 5 && third >= 0x20) {
    return `it is a Python pickle, ${convertText(path)}`;
  }
  if (first === 0x08 && second >= 1 && second < 32 && ONNX_FIELDS.includes(third)) return ONNX;
  return undefined;
}

const ONNX = "it is an ONNX model, which is written here and not read: " +
  "give the weights that it was made from, as safetensors";

const KERAS =
  "which is not read here: its weights would have to be renamed and transposed to PyTorch's layout, " +
  "and saved as safetensors";

/** The lines of Python that turn a PyTorch file into one that is read here. */
export function conversionLines(path: string): string[] {
  const out = convertedName(path);
  return [
    "import torch; from safetensors.torch import save_file",
    `weights = torch.load(${JSON.stringify(path)}, map_location="cpu", weights_only=True)`,
    `save_file(weights.get("state_dict", weights), ${JSON.stringify(out)})`,
  ];
}

function convertedName(path: string): string {
  // The name without its folder and its ending; web addresses are no paths of a system's own.
  return `${path.replace(/^.*[/\\]/, "").replace(/(?<=.)\.[^.]*$/, "")}.safetensors`;
}

function convertText(path: string): string {
  return `which could run code and is not read here; in Python, this makes a safetensors file of it:\n\n${
    conversionLines(path).join("\n")
  }\n\nand this trains from it:\n\ndeno task train --data photos --weights ${
    JSON.stringify(convertedName(path))
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
