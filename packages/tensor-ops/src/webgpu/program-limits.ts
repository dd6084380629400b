import { util } from '@tensorflow/tfjs-core';
import { programError, type WebGpuProgram, type WebGpuUniform } from './web-gpu-program';

/**
 * Checks a program against the limits of the device. WebGPU itself reports such mistakes only on the device, and the result is then
 * stale memory.
 *
 * @throws Error that names the program, the limit and the actual value.
 */
export function checkProgramLimits(program: WebGpuProgram, { limits, features }: GPUDevice): void {
  const inputs = Object.entries(program.inputs);
  const outputs = Object.entries(program.outputs);
  if (outputs.length === 0) throw programError(program, 'has no output');
  const buffers = inputs.length + outputs.length;
  if (buffers > limits.maxStorageBuffersPerShaderStage) {
    throw programError(program, `binds ${buffers} tensors, the device allows ${limits.maxStorageBuffersPerShaderStage}`);
  }
  for (const [name, { shape }] of [...inputs, ...outputs]) {
    if (!shape.every((size) => Number.isInteger(size) && size >= 0)) {
      throw programError(program, `'${name}' has the shape [${shape}], sizes must be integers`);
    }
    const bytes = 4 * util.sizeFromShape(shape);
    if (bytes === 0) throw programError(program, `'${name}' has the shape [${shape}], an empty tensor cannot be bound`);
    if (bytes > limits.maxStorageBufferBindingSize) {
      throw programError(
        program,
        `'${name}' [${shape}] needs ${bytes} bytes, the device binds ${limits.maxStorageBufferBindingSize}`,
      );
    }
  }
  for (const name of program.vectors ?? []) checkVectors(program, name);
  for (const feature of program.requires ?? []) {
    if (!features.has(feature)) {
      throw programError(
        program,
        `needs '${feature}', which the device was not made with; initBackend({ fullDevice: true }) starts one with it where the adapter has it`,
      );
    }
  }
  checkWorkgroups(program, limits);
  for (const [name, uniform] of Object.entries(program.uniforms ?? {})) checkUniform(program, name, uniform);
}

function checkVectors(program: WebGpuProgram, name: string): void {
  const bound: { shape: number[]; dtype?: string } | undefined = program.inputs[name] ?? program.outputs[name];
  if (bound === undefined) throw programError(program, `there is no binding '${name}' to hold vectors`);
  if ((bound.dtype ?? 'float32') !== 'float32' || util.sizeFromShape(bound.shape) % 4 !== 0) {
    throw programError(program, `'${name}' holds vectors of 4 floats, got ${bound.dtype ?? 'float32'} [${bound.shape}]`);
  }
}

function checkWorkgroups(program: WebGpuProgram, limits: GPUSupportedLimits): void {
  const { workgroupSize, workgroups } = program;
  const most = [limits.maxComputeWorkgroupSizeX, limits.maxComputeWorkgroupSizeY, limits.maxComputeWorkgroupSizeZ];
  if (!workgroupSize.every((size, axis) => Number.isInteger(size) && size >= 1 && size <= most[axis]!)) {
    throw programError(program, `workgroupSize is [${workgroupSize}], the device allows 1 to [${most}]`);
  }
  const invocations = workgroupSize[0] * workgroupSize[1] * workgroupSize[2];
  if (invocations > limits.maxComputeInvocationsPerWorkgroup) {
    throw programError(
      program,
      `workgroupSize [${workgroupSize}] is ${invocations} invocations, the device allows ${limits.maxComputeInvocationsPerWorkgroup}`,
    );
  }
  const mostWorkgroups = limits.maxComputeWorkgroupsPerDimension;
  if (!workgroups.every((count) => Number.isInteger(count) && count >= 1 && count <= mostWorkgroups)) {
    throw programError(
      program,
      `workgroups is [${workgroups}], the device allows 1 to ${mostWorkgroups} on each axis; loop in the shader by num_workgroups`,
    );
  }
}

const ranges = {
  u32: [0, 2 ** 32 - 1],
  i32: [-(2 ** 31), 2 ** 31 - 1],
  f32: [-3.4028234663852886e38, 3.4028234663852886e38],
} as const;

function checkUniform(program: WebGpuProgram, name: string, { type, value }: WebGpuUniform): void {
  const [least, most] = ranges[type];
  if (!(value >= least && value <= most) || (type !== 'f32' && !Number.isInteger(value))) {
    throw programError(program, `uniform '${name}' is ${value}, not a finite ${type}`);
  }
}
