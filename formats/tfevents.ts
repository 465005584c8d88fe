/**
 * TensorBoard's event files: records as TFRecord frames them, of messages of event.proto and summary.proto
 * (github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto).
 * @module
 */
import crc32c from "crc-32/crc32c.js";
import { concatenate, double, float, integer, message, submessage, text } from "./protobuf.ts";

/** Numbers at a step. */
export interface ScalarEvent {
  /** Seconds since 1970. */
  readonly time: number;
  readonly step: number;
  /** By tag, such as `train/loss`; what is not finite is kept as it is. */
  readonly scalars: Readonly<Record<string, number>>;
}

/** The first record of a file: the version of the format. */
export function versionRecord(time: number): Uint8Array<ArrayBuffer> {
  return record(concatenate(message(double(1, time), text(3, "brain.Event:2"))));
}

/** Says that what was told of this and later steps is told again. */
export function restartRecord(time: number, step: number): Uint8Array<ArrayBuffer> {
  const start = message(integer(1, 1)); // SessionLog.START
  return record(concatenate(message(double(1, time), integer(2, step), submessage(7, start))));
}

/** Numbers at a step as a record. */
export function scalarRecord({ time, step, scalars }: ScalarEvent): Uint8Array<ArrayBuffer> {
  const values = Object.entries(scalars).map(([tag, value]) =>
    submessage(1, message(text(1, tag), float(2, value)))
  );
  return record(concatenate(message(double(1, time), integer(2, step), submessage(5, message(...values)))));
}

/** A TFRecord: length, checksum of the length, data, checksum of the data; all little-endian. */
function record(data: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(data.length + 16), view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, masked(out.subarray(0, 8)), true);
  out.set(data, 12);
  view.setUint32(12 + data.length, masked(data), true);
  return out;
}

/** CRC-32C, turned and shifted, since a checksum of data that holds checksums would tell little. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c.buf(bytes) >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
