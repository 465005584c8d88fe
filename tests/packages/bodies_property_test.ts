import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { exceededBound, type JsonBounds } from "../../server/inference/json_bounds.ts";
import { findPhotos } from "../../server/inference/uploaded_photos.ts";

/** What a value's JSON has of each, counted in the value. */
function count(value: unknown, counts: Record<keyof JsonBounds, number>, depth = 0): typeof counts {
  if (typeof value === "string") counts.texts++;
  if (typeof value !== "object" || value === null) return counts;
  counts.depth = Math.max(counts.depth, depth + 1);
  const parts = Object.values(value);
  counts.commas += Math.max(0, parts.length - 1);
  if (Array.isArray(value)) counts.lists++;
  else {
    counts.objects++;
    counts.members += parts.length;
    counts.texts += parts.length;
  }
  for (const part of parts) count(part, counts, depth + 1);
  return counts;
}

Deno.test("JSON's signs are counted as its values are, whatever its texts hold, and one too many is told", () => {
  const odd = fc.stringMatching(/^[\\"[\]{}:, a-z]{0,20}$/);
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "medium" },
      odd,
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("value"), { maxLength: 5 }),
      fc.dictionary(odd.filter((key) => key !== "__proto__"), tie("value"), { maxKeys: 5 }),
    ),
  })).value;
  fc.assert(
    fc.property(value, fc.boolean(), (value, spaced) => {
      const json = new TextEncoder().encode(JSON.stringify(value, null, spaced ? 2 : 0));
      const zero = { depth: 0, objects: 0, lists: 0, texts: 0, members: 0, commas: 0 };
      const exact = count(JSON.parse(JSON.stringify(value)), zero);
      assertEquals(exceededBound(json, exact), undefined);
      for (const name of Object.keys(exact) as (keyof JsonBounds)[]) {
        if (exact[name] > 0) assertEquals(exceededBound(json, { ...exact, [name]: exact[name] - 1 }), name);
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a form's files come back with their bytes and names, whatever looks like a boundary in them", async () => {
  const boundary = "--ab";
  const piece = fc.oneof(
    fc.constantFrom("\r\n", "\r", "--", "--ab", "\r\n--", "\r\n----a", "\r\n----ac", "\r\n\r\n").map((text) =>
      new TextEncoder().encode(text)
    ),
    fc.uint8Array({ maxLength: 9 }),
  );
  const file = fc.record({
    name: fc.string({ unit: "grapheme", maxLength: 20 }).map((name) => name.replace(/[\r\n]/g, "").trim()),
    pieces: fc.array(piece, { minLength: 1, maxLength: 9 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(file, { minLength: 1, maxLength: 5 }), async (files) => {
      const wanted = await Promise.all(
        files.map(async ({ name, pieces }) => ({
          bytes: await new Blob([Uint8Array.of(1), ...pieces as Uint8Array<ArrayBuffer>[]]).bytes(),
          file: name,
        })),
      );
      const text = (bytes: Uint8Array) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
      fc.pre(wanted.every(({ bytes }) => !text(bytes).includes(`\r\n--${boundary}`)));
      const quoted = (name: string) => `"${name.replace(/["\\]/g, "\\$&")}"`;
      const body = new Blob([
        ...wanted.flatMap(({ bytes, file }) => [
          `--${boundary}\r\nContent-Disposition: form-data; name="image"; filename=${quoted(file)}\r\n\r\n`,
          bytes,
          "\r\n",
        ]),
        `--${boundary}--\r\n`,
      ]);
      assertEquals(findPhotos(await body.bytes(), `multipart/form-data; boundary=${boundary}`), wanted);
    }),
    { numRuns: 500 },
  );
});
