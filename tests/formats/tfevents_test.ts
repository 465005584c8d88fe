import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { TensorboardWriter } from "../../report/tensorboard.ts";
import { testNeeding } from "../permissions.ts";
import { epochOf, startOf, stepOf } from "../report/events.ts";
import { decode } from "./wire.ts";

/** CRC-32C bit by bit, as RFC 3720 has it: another way than the library's. */
function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  }
  return ~crc >>> 0;
}

const masked = (crc: number) => ((crc >>> 15 | crc << 17) + 0xa282ead8) >>> 0;

/** The data of records that follow one another, whose checksums must be right. */
function records(bytes: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [], view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const length = Number(view.getBigUint64(at, true)), data = bytes.subarray(at + 12, at + 12 + length);
    assertEquals(view.getUint32(at + 8, true), masked(crc32c(bytes.subarray(at, at + 8))));
    assertEquals(view.getUint32(at + 12 + length, true), masked(crc32c(data)));
    found.push(data);
    at += length + 16;
  }
  return found;
}

const utf8 = (value: unknown) => new TextDecoder().decode(value as Uint8Array);

testNeeding("read", "write")(
  "an event file holds a run's numbers as TFRecords of TensorBoard's messages",
  async () => {
    // The test's own checksum: RFC 3720's example of 32 bytes of zeros.
    assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
    const dir = await Deno.makeTempDir();
    try {
      using writer = new TensorboardWriter(() => 1.5);
      writer.add(startOf(dir), dir);
      writer.add({ event: "resumed", step: 4 }, dir);
      writer.add(stepOf(5, 0.25), dir);
      writer.add(epochOf(1, 20), dir);
      const [file] = [...Deno.readDirSync(dir)];
      assertEquals(file!.name, "events.out.tfevents.1.500.compact");
      const [version, restart, ...rest] = records(await Deno.readFile(join(dir, file!.name))).map(decode);
      assertEquals([version!.get(1), utf8(version!.get(3)![0])], [[1.5], "brain.Event:2"]);
      assertEquals([restart!.get(2), [...restart!.get(7)![0] as Uint8Array]], [[5], [8, 1]]);
      const told = rest.map((event) => {
        const values = decode(event.get(5)![0] as Uint8Array).get(1)!.map((value) =>
          decode(value as Uint8Array)
        );
        const scalars = Object.fromEntries(values.map((value) => [utf8(value.get(1)![0]), value.get(2)![0]]));
        return { step: event.get(2)![0], scalars };
      });
      assertEquals(told.map(({ step }) => step), [5, 20]);
      const { "train/learning_rate": rate, ...first } = told[0]!.scalars;
      assertEquals(rate, Math.fround(0.1));
      assertEquals(first, {
        ...{ "train/loss": 0.25, "train/accuracy": 0.5, "system/device_bytes": 1e6 },
        "system/images_per_second": 100,
      });
      assertEquals(told[1]!.scalars["validation/accuracy"], 0.75);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
);
