import type { LayerRecord } from '@mixfold/subspace-attention/measure';
import { OptionError } from '@mixfold/tensor-ops';
import { keep, reshape, type Tensor2D, type Tensor3D } from '@tensorflow/tfjs-core';
import type { NoteLayer } from './blocks';
import type { RowSizes, TokenMixer } from './token-mixer';

/** Takes what a layer with subspaces did, for `traceLayers`. It owns the record's `tokens`, `attended` and `output`. */
export type RecordLayer = (layer: LayerRecord) => void;

/** Writes layers down as `record` takes them. @throws OptionError for a mixer without subspaces */
export function layerNotes(
  functionName: string,
  mixer: TokenMixer,
  { batch, time }: RowSizes,
  record: RecordLayer | undefined,
): NoteLayer | undefined {
  if (record === undefined) return undefined;
  const { recorded } = mixer;
  if (recorded === undefined) {
    throw new OptionError(`${functionName}: option record is for the mixers 'mssa' and 'crate', whose layers have subspaces`);
  }
  const owned = (rows: Tensor2D) => keep(reshape(rows, [batch, time, rows.shape[1]]) as Tensor3D);
  return (weights, { tokens, attended, output }) =>
    record({ tokens: owned(tokens), attended: owned(attended), output: owned(output), ...recorded(weights) });
}
