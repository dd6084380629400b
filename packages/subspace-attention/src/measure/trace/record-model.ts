import { OptionError } from '@mixfold/tensor-ops';
import { dispose, keep, type Tensor, type Tensor3D } from '@tensorflow/tfjs-core';
import type { LayerRecord } from './layer-record';

/** A tf.layers model, as far as a trace needs it. */
export interface TracedModel {
  readonly layers: readonly object[];
  predictOnBatch(input: Tensor | Tensor[]): Tensor | Tensor[];
}

type CallHook = (inputs: Tensor | Tensor[], kwargs: Record<string, unknown>) => void;

/** A layer of '@mixfold/subspace-attention/layers' with attention. */
interface RecordingLayer {
  record(tokens: Tensor3D, keyMask?: Tensor): LayerRecord;
  setCallHook(hook: CallHook): void;
  clearCallHook(): void;
  /** tfjs's own field; a hook that a user has set is put back. */
  readonly _callHook: CallHook | null;
}

/**
 * Runs a model once and writes down what its layers with subspace attention did, also those in nested models, in the order in which they ran.
 *
 * @returns The records, and what frees their tensors.
 * @throws OptionError for a model without such layers.
 */
export function recordModel(model: TracedModel, input: Tensor | Tensor[]): { records: LayerRecord[]; free: () => void } {
  const layers = new Set(recordingLayers(model));
  if (layers.size === 0) {
    throw new OptionError(
      'traceLayers: the model has no SubspaceAttention, AttentionOnlyBlock or CrateBlock; write down records of its layers instead',
    );
  }
  const calls: { layer: RecordingLayer; tokens: Tensor3D; keyMask: Tensor | undefined }[] = [];
  const hooks = [...layers].map((layer) => [layer, layer._callHook] as const);
  try {
    for (const layer of layers) {
      layer.setCallHook((inputs, kwargs) => {
        const first = <T>(value: T | T[]): T => (Array.isArray(value) ? value[0]! : value);
        const mask = first(kwargs?.mask as Tensor | Tensor[] | null | undefined);
        const keyMask = mask ? keep(mask.clone()) : undefined;
        calls.push({ layer, tokens: keep(first(inputs).clone()) as Tensor3D, keyMask });
      });
    }
    dispose(model.predictOnBatch(input));
  } finally {
    for (const [layer, hook] of hooks) hook ? layer.setCallHook(hook) : layer.clearCallHook();
  }
  const records = calls.map(({ layer, tokens, keyMask }) => layer.record(tokens, keyMask));
  const free = () => {
    for (const { tokens, keyMask } of calls) dispose([tokens, ...(keyMask ? [keyMask] : [])]);
    for (const { attended, output } of records) dispose([attended!, output!]);
  };
  return { records, free };
}

function recordingLayers({ layers }: { readonly layers: readonly object[] }): RecordingLayer[] {
  return layers.flatMap((layer) => {
    if ('record' in layer && 'setCallHook' in layer) return [layer as RecordingLayer];
    return 'layers' in layer && Array.isArray(layer.layers) ? recordingLayers(layer as { layers: object[] }) : [];
  });
}
