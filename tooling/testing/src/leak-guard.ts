import * as tf from '@tensorflow/tfjs-core';
import { heldWasmBlocks } from './wasm-heap-guard';

interface Held {
  readonly tensors: number;
  readonly dataIds: number;
  readonly wasmBlocks: number;
}

function held(): Held {
  const { numTensors, numDataBuffers } = tf.memory();
  return { tensors: numTensors, dataIds: numDataBuffers, wasmBlocks: heldWasmBlocks(tf.backend()) };
}

/**
 * Runs `fn`, disposes the tensors it returns, and fails if anything else is left: tensors, data, or blocks of the WASM heap.
 *
 * It runs twice and counts the second time, for a first call may build what later ones share.
 *
 * @param fn - must keep nothing but what it returns. Its inputs are made outside.
 */
export async function expectNoLeak(fn: () => tf.TensorContainer | Promise<tf.TensorContainer>): Promise<void> {
  tf.dispose(await fn());
  const before = held();
  tf.dispose(await fn());
  assertNothingLeft('one call', before);
}

/** Ends the scope of a test; `checked` (the default) fails if anything outlives it. */
export type CloseTestScope = (options?: { readonly checked?: boolean }) => void;

/** Starts a scope that owns every tensor a test makes. What outlives it was held by `tf.keep`, a variable or the WASM heap. */
export function openTestScope(): CloseTestScope {
  const before = held();
  const engine = tf.engine();
  engine.startScope();
  return ({ checked = true } = {}) => {
    engine.endScope();
    if (checked) assertNothingLeft('the test', before);
  };
}

function assertNothingLeft(who: string, before: Held): void {
  const after = held();
  const extra = (Object.keys(before) as (keyof Held)[]).filter((kind) => after[kind] !== before[kind]);
  if (extra.length === 0) return;
  throw new Error(`${who} leaked: ${extra.map((kind) => `${kind} ${before[kind]} -> ${after[kind]}`).join(', ')}`);
}
