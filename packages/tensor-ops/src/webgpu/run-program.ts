import { env, type TensorInfo, util } from '@tensorflow/tfjs-core';
import { watchDevice } from './device-loss';
import { checkProgramLimits } from './program-limits';
import { programPipeline } from './program-pipeline';
import { recordDispatch } from './record-dispatch';
import type { WebGpuBackend } from './web-gpu-backend';
import { programError, type WebGpuOutput, type WebGpuProgram, type WgslScalar } from './web-gpu-program';

/**
 * Runs a compute shader with any number of outputs on tfjs's WebGPU device, in tfjs's own queue.
 *
 * @returns one new tensor per output, by name. Its memory is not cleared before the shader runs: write every element.
 * @throws Error if the program breaks a rule that can be seen here: a name, an unused binding or uniform, a device limit, an empty or
 *   complex tensor. What only the shader compiler sees (WGSL errors) is reported by the device, never thrown: test in an error scope.
 * @throws DeviceLostError once the device is lost.
 * @remarks The dispatch is recorded, not awaited. An intermediate tensor may be given to `backend.disposeData` right after the last
 *   program that reads it is recorded.
 */
export function runProgram<Output extends string>(
  backend: WebGpuBackend,
  program: WebGpuProgram<Output>,
): Record<Output, TensorInfo> {
  const { error } = watchDevice(backend);
  if (error !== undefined) throw error;
  checkProgramLimits(program, backend.device);
  const given = Object.entries(program.inputs);
  const inputTypes = given.map(([name, info]) => scalarType(backend, program, name, info));
  const { pipeline, layout } = programPipeline(backend.device, program, inputTypes);

  const converted: TensorInfo[] = [];
  const inputs = given.map(([, info]) => {
    if (!isRelabelled(backend, info)) return info;
    converted.push(toFloats(backend, info));
    return converted.at(-1)!;
  });
  for (const { dataId } of inputs) backend.uploadToGPU(dataId);
  const resources = given.map(([name], i) => bufferOf(backend, program, name, inputs[i]!));
  const outputs = Object.entries<WebGpuOutput>(program.outputs).map(
    ([name, { shape, dtype }]) => [name, backend.makeTensorInfo(shape, dtype ?? 'float32')] as const,
  );
  for (const [name, info] of outputs) {
    backend.uploadToGPU(info.dataId);
    resources.push(bufferOf(backend, program, name, info));
  }

  const uniforms = Object.values(program.uniforms ?? {});
  // In this mode tfjs only compiles; what is read back is not valid.
  if (!env().getBool('WEBGPU_ENGINE_COMPILE_ONLY')) {
    if (uniforms.length > 0) {
      resources.push(backend.makeUniforms(uniforms.map(({ type, value }) => ({ type: uniformTypes[type], data: [value] }))));
    }
    for (const { dataId } of inputs) backend.commandQueueOwnedIds.add(dataId);
    for (const [, { dataId }] of outputs) backend.commandQueueOwnedIds.add(dataId);
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const bindGroup = backend.device.createBindGroup({ label: program.name, layout, entries });
    recordDispatch(backend, program.name, pipeline, bindGroup, program.workgroups);
  }
  for (const { dataId } of converted) backend.disposeData(dataId);
  return Object.fromEntries(outputs) as Record<Output, TensorInfo>;
}

const uniformTypes = { u32: 'uint32', i32: 'int32', f32: 'float32' } as const;

function scalarType(backend: WebGpuBackend, program: WebGpuProgram, name: string, info: TensorInfo): WgslScalar {
  const { dtype } = backend.tensorMap.get(info.dataId);
  if (dtype === 'float32' || isRelabelled(backend, info)) return 'f32';
  if (dtype === 'int32' || dtype === 'bool') return 'i32';
  throw programError(program, `'${name}' is a ${dtype} tensor, which a shader cannot read`);
}

/** tfjs's cast from bool or int32 to float32 changes the label alone: the buffer goes on holding integers. */
function isRelabelled(backend: WebGpuBackend, info: TensorInfo): boolean {
  const { dtype } = backend.tensorMap.get(info.dataId);
  return info.dtype === 'float32' && (dtype === 'int32' || dtype === 'bool');
}

function toFloats(backend: WebGpuBackend, info: TensorInfo): TensorInfo {
  const size = util.sizeFromShape(info.shape);
  return runProgram(backend, {
    name: 'IntegersToFloats',
    inputs: { integers: { ...info, dtype: 'int32' } },
    outputs: { floats: { shape: info.shape } },
    uniforms: { size: { type: 'u32', value: size } },
    workgroupSize: [64, 1, 1],
    workgroups: [Math.min(Math.ceil(size / 64), 1024), 1, 1],
    code: `
      fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
        for (var i = id.x; i < uniforms.size; i += groups.x * workgroupSize.x) { floats[i] = f32(integers[i]); }
      }`,
  }).floats;
}

function bufferOf(backend: WebGpuBackend, program: WebGpuProgram, name: string, info: TensorInfo): GPUBufferBinding {
  const { resource } = backend.tensorMap.get(info.dataId);
  if (!(resource instanceof GPUBuffer)) throw programError(program, `'${name}' lives in a texture, not in a buffer`);
  // A buffer that the user wrapped may be longer than its tensor.
  return { buffer: resource, offset: 0, size: 4 * util.sizeFromShape(info.shape) };
}
