import { assertEquals, assertThrows } from "@std/assert";
import { decodeGif } from "../../../data/image/gif.ts";
import { ImageError } from "../../../data/image/image.ts";
import { encodeGif, gifFrame, join } from "../encoders.ts";

const palette = [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 8, 7];
const colours = { r: [255, 0, 0, 255], g: [0, 255, 0, 255], b: [0, 0, 255, 255] };

/** The picture as a letter per pixel, a word per row. */
function letters(gif: Uint8Array): string {
  const { width, height, data } = decodeGif(gif);
  const letter = (i: number) => {
    const rgba = data.subarray(4 * i, 4 * i + 4);
    if (rgba[3] === 0) return "-";
    return Object.entries(colours).find(([, colour]) => colour.every((v, c) => v === rgba[c]))?.[0] ?? "?";
  };
  return Array.from(
    { length: height },
    (_, y) => Array.from({ length: width }, (_, x) => letter(y * width + x)),
  )
    .map((row) => row.join("")).join(" ");
}

const threePixels = gifFrame({ width: 3, height: 1, indices: [0, 1, 2] });

/** A frame of 2 bits per index whose codes are given. */
function frameOfCodes(
  width: number,
  height: number,
  codes: readonly (readonly [code: number, bits: number])[],
  flags = 0,
) {
  let bits = "";
  for (const [code, size] of codes) bits = code.toString(2).padStart(size, "0") + bits;
  bits = bits.padStart(Math.ceil(bits.length / 8) * 8, "0");
  const bytes = bits.match(/.{8}/g)!.map((byte) => parseInt(byte, 2)).reverse();
  return join(0x2c, 0, 0, 0, 0, width, 0, height, 0, flags, 2, bytes.length, Uint8Array.from(bytes), 0);
}

Deno.test("a first frame beyond the canvas makes the canvas larger", () => {
  assertEquals(letters(encodeGif({ width: 2, height: 1, palette, frames: [threePixels] })), "rgb");
  const shifted = gifFrame({ x: 1, y: 1, width: 2, height: 1, indices: [0, 1] });
  assertEquals(letters(encodeGif({ width: 2, height: 1, palette, frames: [shifted] })), "--- -rg");
});

Deno.test("codes need not begin by clearing the table, nor end with the end code", () => {
  const codes = [[0, 3], [1, 3], [6, 3]] as const; // 6 is "0 1"
  assertEquals(
    letters(encodeGif({ width: 4, height: 1, palette, frames: [frameOfCodes(4, 1, codes)] })),
    "rgrg",
  );
  const whole = encodeGif({ width: 4, height: 1, palette, frames: [frameOfCodes(4, 1, codes)] });
  assertEquals(letters(whole.subarray(0, whole.length - 2)), "rgrg"); // neither an empty block nor a trailer
});

Deno.test("a table that is full goes on at 12 bits until it is cleared", () => {
  const side = 128, clear = 4;
  const codes: [number, number][] = [[clear, 3]];
  let width = 3;
  for (let i = 0, next = 6; i < side * side; i++) {
    codes.push([i % 3, width]);
    if (i > 0 && next < 4096) next++;
    if (next === 1 << width && width < 12) width++;
  }
  let value = 0n, at = 0n;
  for (const [code, bits] of codes) {
    value |= BigInt(code) << at;
    at += BigInt(bits);
  }
  const bytes: number[] = [];
  for (const digits = value.toString(16), i = { at: digits.length }; i.at > 0; i.at -= 2) {
    bytes.push(parseInt(digits.slice(Math.max(0, i.at - 2), i.at), 16));
  }
  bytes.push(0, 0, 0); // codes of zero bits at the end
  const blocks: Uint8Array[] = [];
  for (let i = 0; i < bytes.length; i += 255) {
    const block = Uint8Array.from(bytes.slice(i, i + 255));
    blocks.push(join(block.length, block));
  }
  const frame = join(0x2c, 0, 0, 0, 0, side, 0, side, 0, 0, 2, ...blocks, 0);
  const picture = letters(encodeGif({ width: side, height: side, palette, frames: [frame] })).replaceAll(
    " ",
    "",
  );
  assertEquals(picture, "rgb".repeat(side * side / 3 + 1).slice(0, side * side));
});

Deno.test("a GIF without any palette is grey, and what is beyond a palette is black", () => {
  const bare = join("GIF89a", 3, 0, 1, 0, 0, 0, 0, threePixels, 0x3b);
  assertEquals([...decodeGif(bare).data], [0, 0, 0, 255, 1, 1, 1, 255, 2, 2, 2, 255]);
  const short = join(
    "GIF89a",
    3,
    0,
    1,
    0,
    0x80,
    0,
    0,
    Uint8Array.from(palette.slice(0, 6)),
    threePixels,
    0x3b,
  );
  assertEquals([...decodeGif(short).data.subarray(8)], [0, 0, 0, 255]);
});

Deno.test("extensions may be empty, unknown or separated by stray bytes; the frame's own palette comes first", () => {
  const gif = encodeGif({ width: 3, height: 1, palette, frames: [threePixels], transparent: 1 });
  const comment = join(0x21, 0xfe, 0), other = join(0x21, 0x99, 2, 5, 5, 0), stray = join(0);
  assertEquals(letters(join(gif.subarray(0, 25), comment, stray, other, gif.subarray(25))), "r-b");
  const own = join(
    threePixels.subarray(0, 9),
    0x81,
    Uint8Array.from(palette.toReversed()),
    threePixels.subarray(10),
  );
  assertEquals(
    [...decodeGif(encodeGif({ width: 3, height: 1, palette, frames: [own] })).data.subarray(0, 8)],
    [
      ...[7, 8, 9, 255],
      ...[255, 0, 0, 255],
    ],
  );
});

Deno.test("interlaced rows come to their places, whatever the height", () => {
  for (const height of [1, 2, 3, 5, 8, 9, 17]) {
    const passes = [[0, 8], [4, 8], [2, 4], [1, 2]] as const;
    const order = passes.flatMap(([first, step]) =>
      Array.from({ length: height }, (_, y) => y).filter((y) => y >= first && (y - first) % step === 0)
    );
    const frame = gifFrame({ width: 1, height, indices: order.map((y) => y % 3) });
    frame[9] = 0x40;
    const expected = Array.from({ length: height }, (_, y) => "rgb"[y % 3]).join(" ");
    assertEquals(letters(encodeGif({ width: 1, height, palette, frames: [frame] })), expected);
  }
});

Deno.test("a GIF that is cut off or damaged is refused with the reason", () => {
  const refuses = (gif: Uint8Array, message: string) => {
    const error = assertThrows(
      () => decodeGif(gif),
      ImageError,
      `Cannot decode the GIF: ${message}`,
    ) as ImageError;
    assertEquals(error.code, "corrupt");
  };
  const gif = (frame: Uint8Array) => encodeGif({ width: 3, height: 1, palette, frames: [frame] });
  const whole = gif(threePixels);
  refuses(whole.subarray(0, whole.length - 4), "its pixel data is cut off: 1 pixels, expected 3");
  refuses(gif(frameOfCodes(3, 1, [[4, 3], [0, 3], [7, 3]])), "its pixel data is damaged");
  refuses(
    gif(frameOfCodes(3, 1, [[4, 3], [0, 3], [5, 3]])),
    "its pixel data is cut off: 1 pixels, expected 3",
  );
  refuses(gif(frameOfCodes(0, 1, [[4, 3]])), "its first frame has 0x1 pixels");
  refuses(
    gif(Object.assign(new Uint8Array(threePixels), { 10: 9 })),
    "its indices have 9 bits, expected 1 to 8",
  );
});
