import * as v from 'valibot';
import type { Params } from '../model/params';
import type { OptimizerState } from '../optimizer/optimizer';
import { CheckpointError } from './checkpoint-error';

/** Everything a training run is, between two steps. */
export interface TrainState {
  /** Steps made. */
  step: number;
  params: Params;
  optimizer: OptimizerState;
  /** Of the stream that draws the batches: it is the position in the data too. */
  random: number[];
}

/** A training run on disk: its state, and the configuration that goes on with it. */
export interface Checkpoint extends TrainState {
  config: Record<string, unknown>;
}

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const digest = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));

const recordSchema = v.strictObject({
  format: v.literal('mixfold checkpoint 1'),
  step: count,
  random: v.pipe(v.array(v.pipe(count, v.maxValue(2 ** 32 - 1))), v.length(4)),
  optimizer: v.strictObject({
    updates: count,
    file: v.pipe(v.string(), v.regex(/^optimizer-\d+\.safetensors$/)),
    sha256: digest,
  }),
  /** Of the weights: names, shapes and bytes. */
  sha256: digest,
  config: v.record(v.string(), v.unknown()),
});

/** What a checkpoint says beside its tensors; `state.json` holds it, and `model.safetensors` in its metadata. */
export type CheckpointRecord = v.InferOutput<typeof recordSchema>;

/** Parses the record of a checkpoint. @throws CheckpointError */
export function parseRecord(text: string, path: string): CheckpointRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CheckpointError(`${path} is damaged: it is not JSON; restore it, or train again`);
  }
  const result = v.safeParse(recordSchema, value);
  if (result.success) return result.output;
  const field = v.getDotPath(result.issues[0]!) ?? 'everything';
  throw new CheckpointError(
    `${path} was not written by mixfold, or is damaged (${field}); give a folder that mixfold train wrote`,
  );
}
