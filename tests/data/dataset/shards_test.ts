import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  FileShards,
  FileShardWriter,
  MemoryShards,
  type Place,
  type Shards,
  type ShardWriter,
} from "../../../data/dataset/shards.ts";
import { testNeeding } from "../../permissions.ts";

const test = testNeeding("all");

const pieces = Array.from({ length: 200 }, (_, i) => new Uint8Array(1 + i % 7).fill(i));

async function fill(writer: ShardWriter): Promise<Place[]> {
  const places: Place[] = [];
  for (const piece of pieces) places.push(await writer.append(piece));
  return places;
}

function assertReads(shards: Shards, places: readonly Place[]) {
  for (const i of [...places.keys(), 0, 199, 3]) {
    const target = new Uint8Array(pieces[i]!.length);
    shards.read(places[i]!, target);
    assertEquals(target, pieces[i]);
  }
}

test("pieces are spread over shards that stay within the limit, alike in files and in memory", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const writer = new FileShardWriter(folder, 10);
    const places = await fill(writer);
    const sizes = await writer.finish();
    assertEquals(Math.max(...sizes), 10);
    assertEquals(sizes.reduce((a, b) => a + b), pieces.reduce((sum, piece) => sum + piece.length, 0));
    using files = new FileShards(folder, sizes);
    assertReads(files, places); // more shards than may be open at a time
    using memory = new MemoryShards(10);
    assertEquals(await fill(memory), places);
    assertEquals(await memory.finish(), sizes);
    assertReads(memory, places);
    for (const shards of [files, memory]) {
      const whole = new Uint8Array(sizes[1]!);
      shards.read({ shard: 1, offset: 0 }, whole);
      assertEquals(
        whole,
        Uint8Array.from(pieces.filter((_, i) => places[i]!.shard === 1).flatMap((p) => [...p])),
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a piece larger than the limit has a shard of its own", async () => {
  using shards = new MemoryShards(10);
  await shards.append(new Uint8Array(4));
  assertEquals(await shards.append(new Uint8Array(25)), { shard: 1, offset: 0 });
  assertEquals(await shards.append(new Uint8Array(1)), { shard: 2, offset: 0 });
  assertEquals(await shards.finish(), [4, 25, 1]);
});

test("an existing file is not written over, and one that became shorter is an error", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const writer = new FileShardWriter(folder);
    const place = await writer.append(new Uint8Array(100));
    const sizes = await writer.finish();
    await assertRejects(
      () => new FileShardWriter(folder).append(new Uint8Array(1)),
      Deno.errors.AlreadyExists,
    );
    using shards = new FileShards(folder, sizes);
    await Deno.truncate(`${folder}/shard-000.rgba`, 50);
    assertThrows(() => shards.read(place, new Uint8Array(100)), Error, "shard-000.rgba has become shorter");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("replacing the folder does not change what was opened, nor pass unnoticed beyond", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const writer = new FileShardWriter(folder, 10);
    const places = await fill(writer);
    using shards = new FileShards(folder, await writer.finish());
    for (const { name } of [...Deno.readDirSync(folder)]) {
      await Deno.remove(`${folder}/${name}`);
      await Deno.writeFile(`${folder}/${name}`, new Uint8Array(10).fill(255));
      await Deno.utime(`${folder}/${name}`, new Date(), new Date(Date.now() + 5000));
    }
    const first = new Uint8Array(pieces[0]!.length), last = new Uint8Array(pieces.at(-1)!.length);
    shards.read(places[0]!, first);
    assertEquals(first, pieces[0]);
    assertThrows(() => shards.read(places.at(-1)!, last), Error, "was replaced meanwhile");
    assertThrows(() => new FileShards(folder, Array(1000).fill(1)), Deno.errors.NotFound);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
