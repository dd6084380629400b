import type { TensorInfo } from '@tensorflow/tfjs-core';
import type { Lines } from '../lines/lines';
import { runLineProgram } from '../lines/webgpu-lines';
import type { FusedKernel, KernelCall } from '../operator/types';
import { acceptsBindings } from '../webgpu/accepts-bindings';
import { runProgram } from '../webgpu/run-program';
import { webGpuBackend } from '../webgpu/web-gpu-backend';

const linesOf = ({ sizes }: KernelCall): Lines => ({ outer: sizes['...rows']!, count: sizes.dim!, inner: 1 });

/** Normalisation of rows, a group of threads each; `centred` with their mean taken off, in two steps as in the other forms. */
function webgpuNorm(centred: boolean): FusedKernel {
  return {
    accepts: acceptsBindings,
    run(call) {
      const { x, gain, bias } = call.inputs as { x: TensorInfo; gain: TensorInfo; bias?: TensorInfo };
      const { moments } = call.outputShapes;
      return runLineProgram<string>(call, linesOf(call), {
        name: centred ? 'LayerNormShader' : 'RmsNormShader',
        inputs: { x, gain, bias },
        outputs: call.outputShapes,
        uniforms: { epsilon: { type: 'f32', value: call.attributes.epsilon as number } },
        body: `
    var sum = 0.0;
    ${centred ? 'for (var j = start; j < stop; j += along) { sum += x[elementOf(line, j)]; }' : ''}
    let mean = ${centred ? 'sumOfLine(sum, id) / f32(count)' : 'sum'};
    var rest = 0.0;
    var squares = 0.0;
    for (var j = start; j < stop; j += along) {
      let d = x[elementOf(line, j)] - mean;
      rest += d;
      squares += d * d;
    }
    rest = ${centred ? 'sumOfLine(rest, id) / f32(count)' : '0.0'};
    let variance = max(sumOfLine(squares, id) / f32(count) - rest * rest, 0.0);
    let inverse = 1.0 / sqrt(variance + uniforms.epsilon);
    ${moments ? 'if (isFirst) { moments[3u * line] = mean; moments[3u * line + 1u] = rest; moments[3u * line + 2u] = inverse; }' : ''}
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      output[i] = (x[i] - mean - rest) * inverse * gain[j]${bias ? ' + bias[j]' : ''};
    }`,
      });
    },
  };
}

/** Rows whose share of the sums over rows one thread adds up: a part; at most 1,024 parts are added after. */
const rowsPerPart = (rows: number) => Math.max(64, Math.ceil(rows / 1024));

/** Three dispatches: the gradient of x by rows, then the sums over rows in parts, then their totals. */
function webgpuNormBackward(centred: boolean): FusedKernel {
  return {
    accepts: acceptsBindings,
    run(call) {
      const { x, gain, moments, dOutput } = call.inputs as Record<'x' | 'gain' | 'moments' | 'dOutput', TensorInfo>;
      const { dX, dBias } = call.outputShapes as { dX: number[]; dBias?: number[] };
      const normal = '(x[i] - moments[3u * row] - moments[3u * row + 1u]) * moments[3u * row + 2u]';
      const gradient = runLineProgram(call, linesOf(call), {
        name: centred ? 'LayerNormBackwardShader' : 'RmsNormBackwardShader',
        inputs: { x, gain, moments, dOutput },
        outputs: { dX },
        body: `
    let row = min(line, uniforms.lines - 1u);
    var sum = 0.0;
    var product = 0.0;
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      let g = dOutput[i] * gain[j];
      sum += g;
      product += g * ${normal};
    }
    let mean = ${centred ? 'sumOfLine(sum, id) / f32(count)' : '0.0'};
    let slope = sumOfLine(product, id) / f32(count);
    for (var j = start; j < stop; j += along) {
      let i = elementOf(line, j);
      dX[i] = (dOutput[i] * gain[j] - mean - ${normal} * slope) * moments[3u * row + 2u];
    }`,
      });
      const rows = linesOf(call).outer;
      const partial = sumRows(call, `${normal} * dOutput[i]`, { x, moments, dOutput }, rows, dBias !== undefined, 'partial');
      const chunks = Math.ceil(rows / rowsPerPart(rows));
      const totals = sumRows(call, 'partial[i]', partial, chunks, dBias !== undefined, 'total');
      for (const { dataId } of Object.values(partial)) webGpuBackend(call.backend).disposeData(dataId);
      return { ...gradient, ...totals };
    },
  };
}

/**
 * Sums of a term over rows, per column: in parts of `rowsPerPart` rows, `[parts, dim]`, or over all of them. With `alone` a
 * second sum goes along: of `dOutput`, or of its parts.
 */
function sumRows(
  call: KernelCall,
  term: string,
  inputs: Record<string, TensorInfo>,
  rows: number,
  alone: boolean,
  stage: 'partial' | 'total',
): Record<string, TensorInfo> {
  const dim = call.sizes.dim!;
  const chunk = stage === 'partial' ? rowsPerPart(rows) : rows;
  const shape = stage === 'partial' ? [Math.ceil(rows / chunk), dim] : [dim];
  const [first, second] = stage === 'partial' ? ['partial', 'partialBias'] : ['dGain', 'dBias'];
  const outputs: Record<string, { shape: number[] }> = { [first!]: { shape } };
  if (alone) outputs[second!] = { shape };
  const threads = 64;
  return runProgram(webGpuBackend(call.backend), {
    name: 'NormSumRows',
    inputs,
    outputs,
    uniforms: {
      rows: { type: 'u32', value: rows },
      dim: { type: 'u32', value: dim },
      chunk: { type: 'u32', value: chunk },
    },
    workgroupSize: [threads, 1, 1],
    workgroups: [Math.ceil(dim / threads), Math.ceil(rows / chunk), 1],
    code: `
fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= uniforms.dim) { return; }
  var sum = 0.0;
  var other = 0.0;
  for (var row = id.y * uniforms.chunk; row < min((id.y + 1u) * uniforms.chunk, uniforms.rows); row++) {
    let i = row * uniforms.dim + id.x;
    sum += ${term};
    ${alone ? `other += ${stage === 'partial' ? 'dOutput[i]' : 'partialBias[i]'};` : ''}
  }
  ${first}[id.y * uniforms.dim + id.x] = sum;
  ${alone ? `${second}[id.y * uniforms.dim + id.x] = other;` : ''}
}`,
  });
}

export const webgpuLayerNorm = /* @__PURE__ */ webgpuNorm(true);
export const webgpuLayerNormBackward = /* @__PURE__ */ webgpuNormBackward(true);
export const webgpuRmsNorm = /* @__PURE__ */ webgpuNorm(false);
export const webgpuRmsNormBackward = /* @__PURE__ */ webgpuNormBackward(false);
