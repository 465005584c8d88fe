/**
 * What a run's thread and the thread of MPI tell each other.
 * @module
 */
import type { MpiKind } from "./library.ts";

/** A rank whose life is watched. */
export interface Peer {
  /** Its number. */
  readonly rank: number;
  /** Its machine. */
  readonly host: string;
  /** Its process there. */
  readonly pid: number;
}

/** Values that travel. */
type Values = Float32Array<ArrayBuffer>;

/** What is to be done. */
export type Order = { readonly id: number } & Task;

/** What is to be done, not yet numbered. */
export type Task =
  | { readonly op: "open"; readonly kind: MpiKind; readonly paths?: readonly string[] | undefined }
  | { readonly op: "watch"; readonly rank: number; readonly peers: readonly Peer[] }
  | {
    readonly op: "gatherParts";
    readonly values: Values | Uint8Array<ArrayBuffer>;
    readonly counts: readonly number[];
  }
  | {
    readonly op: "exchange";
    readonly values: Values;
    readonly sent: readonly number[];
    readonly received: readonly number[];
  }
  | { readonly op: "sum" | "broadcast"; readonly values: Values }
  | { readonly op: "barrier" | "abort" | "close" };

/** What came of an order, or why none can be carried out any more. */
export type Answer =
  | {
    readonly id: number;
    readonly values: Values | Uint8Array<ArrayBuffer> | undefined;
    readonly counts?: readonly number[];
  }
  | { readonly failure: string };
