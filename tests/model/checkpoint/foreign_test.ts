import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { readHermosayhlCnn } from "../../../formats/hermosayhl_cnn.ts";
import { CheckpointError, decodeCheckpoint } from "../../../model/checkpoint/checkpoint.ts";
import { conversionLines } from "../../../model/checkpoint/foreign.ts";
import { writeSafetensors } from "../../../model/checkpoint/safetensors.ts";
import { testNeeding } from "../../permissions.ts";

const bytesOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** A zip archive as far as its first name, and its directory. */
function zip(first: string, ...names: string[]): Uint8Array {
  const length = (name: string) => String.fromCharCode(name.length, 0);
  const local = `PK\x03\x04${"\0".repeat(22)}${length(first)}\0\0${first}${"\x01".repeat(70_000)}`;
  return bytesOf(
    local + [first, ...names].map((name) => `PK\x01\x02${"\0".repeat(24)}${length(name)}${name}`).join(""),
  );
}

const KINDS: readonly (readonly [string, Uint8Array, string])[] = [
  ["alexnet.pth", zip("archive/data.pkl", "archive/data/0"), "it is a PyTorch file, which could run code"],
  [
    "alexnet.pt",
    zip("alexnet/.format_version", "alexnet/data.pkl"),
    "it is a PyTorch file, which could run code",
  ],
  [
    "old.pth",
    bytesOf("\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."),
    "a PyTorch file of the older kind",
  ],
  ["a.pkl", bytesOf("\x80\x04\x95\x1a\0\0\0\0\0\0\0}\x94"), "it is a Python pickle"],
  ["a.keras", zip("metadata.json", "config.json", "model.weights.h5"), "it is a Keras model"],
  ["a.zip", zip("photos/1.jpg"), "it is a zip archive, wanted a safetensors file"],
  ["a.h5", bytesOf("\x89HDF\r\n\x1a\n\0\0\0\0"), "it is an HDF5 file, as Keras writes them"],
  ["a.onnx", bytesOf("\x08\x07\x12\x07pytorch\x1a\x052.0.0:"), "it is an ONNX model"],
];

for (const [name, bytes, words] of KINDS) {
  Deno.test(`weights of another program are called what they are: ${name}, ${words}`, () => {
    const { message } = assertThrows(() => decodeCheckpoint(bytes, name), CheckpointError);
    assertStringIncludes(message, `Cannot read ${name}: `);
    assertStringIncludes(message, words);
    // Where Python makes a file of it, what to do with that file is the last line.
    const next = `deno task train --data photos --weights "${name.replace(/\.\w+$/, "")}.safetensors"`;
    assertEquals(message.trimEnd().endsWith(next), message.includes("in Python, this makes"));
    assertThrows(() => readHermosayhlCnn(bytes, ["a", "b"], name), CheckpointError, words);
  });
}

Deno.test("a safetensors file is read, whichever program's first bytes its header's length is like", () => {
  for (const length of [0x0280, 0x220280, 0x120708]) {
    const empty = new Map<string, never>(), text = "x".repeat(length - '{"__metadata__":{"a":""}}'.length);
    const bytes = writeSafetensors(empty, { a: text });
    assertEquals(new DataView(bytes.buffer).getBigUint64(0, true), BigInt(length));
    // It is read as far as its metadata, which are no card's.
    assertThrows(() => decodeCheckpoint(bytes, "a"), CheckpointError, "its metadata names no model");
  }
});

Deno.test("what begins like nothing that is known is refused for what is wrong with it", () => {
  for (
    const bytes of [
      bytesOf("\x08"),
      bytesOf("\x80\x02\0\0\0\0\0\0"),
      bytesOf("PK"),
      new Uint8Array(20).fill(7),
    ]
  ) {
    assertThrows(() => decodeCheckpoint(bytes, "a"), CheckpointError, "Cannot read a: it");
  }
});

testNeeding("read")("docs/pytorch.md has the lines that a refusal tells", async () => {
  const text = await Deno.readTextFile(new URL("../../../docs/pytorch.md", import.meta.url));
  assertStringIncludes(text, `\`\`\`python\n${conversionLines("alexnet.pth").join("\n")}\n\`\`\``);
});
