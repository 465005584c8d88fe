/** Reads Protocol Buffers' wire format: a list of values for each field number. */
export function decode(data: Uint8Array): Map<number, (number | Uint8Array)[]> {
  const fields = new Map<number, (number | Uint8Array)[]>();
  let at = 0;
  const varint = () => {
    let value = 0, scale = 1;
    for (;; scale *= 128) {
      const byte = data[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < data.length) {
    const key = varint(), field = Math.floor(key / 8);
    let value: number | Uint8Array;
    if (key % 8 === 0) value = varint();
    else if (key % 8 === 2) {
      const length = varint();
      value = data.subarray(at, at += length);
      if (at > data.length) throw new Error(`field ${field} ends beyond the data`);
    } else if (key % 8 === 5) {
      value = new DataView(data.buffer, data.byteOffset + at).getFloat32(0, true);
      at += 4;
    } else if (key % 8 === 1) {
      value = new DataView(data.buffer, data.byteOffset + at).getFloat64(0, true);
      at += 8;
    } else throw new Error(`unexpected wire type ${key % 8}`);
    fields.set(field, [...(fields.get(field) ?? []), value]);
  }
  return fields;
}
