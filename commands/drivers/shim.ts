/**
 * A shared library without code that loads another one, and says where the libraries are that it needs. Debian's drivers leave that to
 * the system's folders, and `LD_LIBRARY_PATH` is read only when a process starts. What asks this library for a function gets the
 * other's: the dynamic linker looks through everything that it needs. The format is ELF's, as the System V ABI describes it.
 * @module
 */

/** Processors and their numbers in an ELF header. */
const MACHINES: Readonly<Record<string, number>> = { x86_64: 62, aarch64: 183 };

const TYPE_SHARED = 3, LOAD = 1, DYNAMIC = 2, GNU_STACK = 0x6474e551, READ_WRITE = 6;
const HEADER = 64, SEGMENT = 56, SYMBOL = 24, SEGMENTS = 3;

/** Pages are of 64 KiB at most. */
const PAGE = 0x10000;

/**
 * The library's bytes. `library` is looked for in `folder`, and so is what it needs, before the system's folders; `$ORIGIN` stands for
 * the folder that this library lies in. Throws a `RangeError` for a processor that it is not known for.
 */
export function shim(
  arch: string,
  { library, folder }: { readonly library: string; readonly folder: string },
): Uint8Array<ArrayBuffer> {
  const machine = MACHINES[arch];
  if (machine === undefined) throw new RangeError(`Cannot write a library for ${arch}`);
  const strings = new TextEncoder().encode(`\0${library}\0${folder}\0`);
  const [libraryName, folderName] = [1, 1 + new TextEncoder().encode(library).length + 1];
  const symbols = HEADER + SEGMENTS * SEGMENT, hash = symbols + SYMBOL, dynamic = hash + 24;
  const text = dynamic + 16 * 8, size = text + strings.length;
  const bytes = new Uint8Array(size), view = new DataView(bytes.buffer);
  const u16 = (at: number, value: number) => view.setUint16(at, value, true);
  const u32 = (at: number, value: number) => view.setUint32(at, value, true);
  const u64 = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);

  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // 64 bits, little endian, version 1
  u16(16, TYPE_SHARED);
  u16(18, machine);
  u32(20, 1);
  u64(32, HEADER); // where the segments' table is
  [HEADER, SEGMENT, SEGMENTS, 64].forEach((value, i) => u16(52 + 2 * i, value));

  // Offsets in the file are addresses in memory. Writable, as the linker relocates the dynamic table in its place.
  [[LOAD, 0, size, PAGE], [DYNAMIC, dynamic, 16 * 8, 8], [GNU_STACK, 0, 0, 16]].forEach(
    ([type, start, length, align], i) => {
      const at = HEADER + i * SEGMENT;
      u32(at, type!);
      u32(at + 4, READ_WRITE);
      for (const field of [8, 16, 24]) u64(at + field, start!);
      for (const field of [32, 40]) u64(at + field, length!);
      u64(at + 48, align!);
    },
  );

  // No symbol but the empty one: one bucket, a chain of one.
  u32(hash, 1);
  u32(hash + 4, 1);

  const NEEDED = 1, HASH = 4, STRINGS = 5, SYMBOLS = 6, STRINGS_SIZE = 10, SYMBOL_SIZE = 11;
  // Unlike its successor RUNPATH, RPATH also counts for what the needed library needs itself.
  const RPATH = 15;
  [
    [NEEDED, libraryName],
    [RPATH, folderName],
    [HASH, hash],
    [STRINGS, text],
    [SYMBOLS, symbols],
    [STRINGS_SIZE, strings.length],
    [SYMBOL_SIZE, SYMBOL],
    [0, 0],
  ].forEach(([tag, value], i) => {
    u64(dynamic + 16 * i, tag!);
    u64(dynamic + 16 * i + 8, value!);
  });
  bytes.set(strings, text);
  return bytes;
}
