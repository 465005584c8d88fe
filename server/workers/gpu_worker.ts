/**
 * The GPU's thread: waiting for the device blocks the thread that waits, so it must not be the one that speaks HTTP.
 * Holds any number of classifiers, by number, and answers one call at a time in the order they came.
 * @module
 */
import { setPriority } from "node:os";
import type { Classification } from "../../model/inference/classifier_types.ts";
import type { Call, LoadClassifier, Loaded, Reply, Results, RowClassifier, Start } from "./gpu_messages.ts";

/**
 * A software adapter computes on this machine's processors, in threads that this one starts. They yield to the thread that speaks HTTP:
 * health checks must not wait for the network. On Linux a thread has a priority of its own; elsewhere it is the whole program's.
 */
if (Deno.build.os === "linux") setPriority(0, 5);

const scope = self as unknown as DedicatedWorkerGlobalScope;
const classifiers = new Map<number, RowClassifier>();
let loader: Promise<{ loadClassifier: LoadClassifier }>;
// Held for as long as the worker lives; its other end sees it close.
let _lifeline: MessagePort;
let nextModel = 1;
let turn: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }: MessageEvent<Start | (Call & { id: number })>) => {
  if ("loader" in data) {
    _lifeline = data.lifeline;
    loader = import(data.loader);
    loader.catch(() => {}); // told to whoever calls load
  } else {
    turn = turn.then(() => answer(data));
  }
};

async function answer(call: Call & { id: number }): Promise<void> {
  try {
    const value = await carryOut(call);
    scope.postMessage({ id: call.id, value } satisfies Reply, transferables(value));
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    scope.postMessage({ id: call.id, error: { name, message } } satisfies Reply);
  }
}

async function carryOut(call: Call): Promise<Results[keyof Results]> {
  if (call.op === "load") return await load(call.path, call.options);
  const classifier = classifiers.get(call.model);
  if (classifier === undefined) throw new Error(`Cannot ${call.op}: model ${call.model} is closed`);
  switch (call.op) {
    case "classify":
      return await classifier.classify(call.images, { explain: call.explain });
    case "infer":
      return await classifier.inferRows(call.rows);
    case "memory":
      return await classifier.memory();
    case "close":
      classifiers.delete(call.model);
      await classifier.close();
      return undefined;
  }
}

async function load(path: string, options: Parameters<LoadClassifier>[1]): Promise<Loaded> {
  const classifier = await (await loader).loadClassifier(path, options);
  const model = nextModel++;
  classifiers.set(model, classifier);
  const { card, adapter, maxBatch } = classifier;
  return { model, card, adapter, maxBatch };
}

/** The buffers of an answer; a set, because results may be views of one buffer and each may be named only once. */
function transferables(value: Results[keyof Results]): Transferable[] {
  if (value instanceof Float32Array) return [value.buffer as ArrayBuffer];
  if (!Array.isArray(value)) return [];
  return [
    ...new Set(
      value.flatMap(({ logits, probabilities, heatmap }: Classification) =>
        [logits, probabilities, heatmap?.data].flatMap((array) =>
          array === undefined ? [] : [array.buffer as ArrayBuffer]
        )
      ),
    ),
  ];
}
