import { type FusedKernel, type KernelCall, planGemm, runGemm, webGpuBackend } from '@mixfold/tensor-ops';
import type { QueryActivation } from '../query-activation';
import { gateSource } from '../wgsl/gate';
import {
  acceptsFull,
  BLOCK,
  directMix,
  gatherReferences,
  referenceReaders,
  rowsOf,
  sizesOf,
  uniformsFor,
} from './webgpu-references';

/**
 * Two dispatches: the references of the exponents; then one product with two right factors, whose elements are divided and stored. What a product cannot
 * hold is marked in the output; once the tile is stored it is computed directly, and all is gated.
 */
export const webgpuAftFull: FusedKernel = {
  accepts: acceptsFull,
  run(call: KernelCall) {
    const backend = webGpuBackend(call.backend);
    const { target, source, channels, causal } = sizesOf(call);
    const { query, key, value, positionBias } = call.inputs;
    const activation = call.attributes.queryActivation as QueryActivation;
    const saves = call.outputShapes.context !== undefined;
    const references = gatherReferences(call, 'forward');
    const size = { ...rowsOf(sizesOf(call), target), columns: channels, depth: source };
    const { tile } = planGemm(size, 2, backend.device.limits);

    const functions = `${referenceReaders(call, 'forward')}
${directMix(true)}
${gateSource(activation)}
const redo = -3e38;
fn targetOf(batch: u32, row: u32) -> u32 { return ${causal ? `batch * ${BLOCK}u + row` : 'row'}; }
fn weightOf(block: u32, j: u32, column: u32) -> f32 {
  if (!attends(column, j)) { return 0.0; }
  return exp(min(key[sourceOf(j, column)] - referenceOf(block, column), 20.0));
}`;
    const block = causal ? 'batch' : '0u';
    const left = `let t = targetOf(batch, row);
      ${causal ? 'if (k > t || t >= uniforms.targets) { return 0.0; }' : ''}
      return exp(biasAt(t, k) - references[t]);`;
    const weight = `weightOf(${block}, k, column)`;
    const skip = causal ? 'if (t >= uniforms.targets) { return; }' : '';
    // Written out for every register of a thread, so it is short.
    const store = `let t = targetOf(batch, row);
      ${skip}
      let i = elementOf(t, column);
      let holds = value1 >= 1e-20 && value1 <= 1e20 && abs(value0) <= 1e37;
      output[i] = select(redo, value0 / value1, holds);
      ${saves ? 'logNormalizer[i] = value1;' : ''}`;
    const revisit = `let t = targetOf(batch, row);
      ${skip}
      let i = elementOf(t, column);
      var mixed = output[i];
      ${saves ? `var logs = references[t] + (referenceOf(${block}, column) - largestKey(column)) + log(logNormalizer[i]);` : ''}
      if (mixed == redo${causal ? ' || f32(t) >= exceedingOf(batch, column)' : ''}) {
        let mix = mixDirectly(t, column);
        mixed = mix.context;
        ${saves ? 'logs = select(-1e30, mix.largest - largestKey(column) + log(mix.denominator), mix.denominator > 0.0);' : ''}
      }
      output[i] = gated(i).x * mixed;
      ${saves ? 'context[i] = mixed; logNormalizer[i] = logs;' : ''}`;
    const rights = [
      {
        element: `if (!attends(column, k)) { return 0.0; } return ${weight} * value[sourceOf(k, column)];`,
        neighbours: 'width' as const,
      },
      { element: `return ${weight};`, neighbours: 'width' as const },
    ];
    const outputs = runGemm(backend, {
      name: 'AftFullShader',
      size,
      plan: { tile, splits: 1 },
      inputs: {
        ...(activation === null ? {} : { query: query! }),
        ...{ key: key!, value: value!, references },
        ...(positionBias ? { positionBias } : {}),
      },
      outputs: Object.fromEntries(Object.entries(call.outputShapes).map(([name, shape]) => [name, { shape }])),
      uniforms: uniformsFor(call, [functions, left, store, revisit].join()),
      left: { element: left, neighbours: 'depth' },
      rights,
      store,
      revisit,
      range: causal ? { end: `batch * ${BLOCK}u + firstRow + ${tile.rows}u` } : undefined,
      functions,
    });
    backend.disposeData(references.dataId);
    return outputs;
  },
};
