import { assertEquals, assertThrows } from "@std/assert";
import {
  bytes,
  concatenate,
  double,
  float,
  integer,
  message,
  submessage,
  text,
} from "../../formats/protobuf.ts";
import { decode } from "./wire.ts";

Deno.test("fields are encoded as the specification's examples", () => {
  assertEquals([...concatenate(integer(1, 150))], [0x08, 0x96, 0x01]);
  assertEquals([...concatenate(text(2, "testing"))], [0x12, 7, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6e, 0x67]);
  assertEquals([...concatenate(submessage(3, integer(1, 150)))], [0x1a, 3, 0x08, 0x96, 0x01]);
  assertEquals([...concatenate(float(2, -2))], [0x15, 0, 0, 0, 0xc0]);
  assertEquals([...concatenate(double(1, -2))], [0x09, 0, 0, 0, 0, 0, 0, 0, 0xc0]);
  assertEquals(concatenate(message()).length, 0);
});

Deno.test("large field numbers, lengths and integers survive", () => {
  const large = new Uint8Array(300).fill(7);
  const fields = decode(
    concatenate(message(integer(500, 2 ** 40 + 1), bytes(20, large), bytes(20, new Uint8Array()))),
  );
  assertEquals(fields.get(500), [2 ** 40 + 1]);
  assertEquals(fields.get(20), [large, new Uint8Array()]);
  for (const value of [-1, 0.5, 2 ** 53, NaN]) assertThrows(() => integer(1, value), RangeError);
});
