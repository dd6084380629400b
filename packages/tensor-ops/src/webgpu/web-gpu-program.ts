import type { TensorInfo } from '@tensorflow/tfjs-core';

export type WgslScalar = 'f32' | 'i32' | 'u32';

/** What WGSL may be allowed to use beyond the core language, on a device made with it. */
export type WebGpuFeature = 'subgroups' | 'shader-f16';

/** One tensor that a program writes. */
export interface WebGpuOutput {
  shape: number[];
  dtype?: 'float32' | 'int32';
}

/** One number that a program reads as `uniforms.<name>`. */
export interface WebGpuUniform {
  type: WgslScalar;
  value: number;
}

/**
 * One dispatch of a compute shader over tfjs tensors.
 *
 * Each input is bound as `var<storage, read> <name>: array<f32>` (`array<i32>` for int32 and bool tensors), each output as
 * `var<storage, read_write> <name>: array<f32>`, the uniforms as one struct `uniforms`. `const workgroupSize: vec3u` is declared too.
 */
export interface WebGpuProgram<Output extends string = string> {
  /** Shown by `tf.profile`, in GPU debuggers and in errors. */
  name: string;
  inputs: Readonly<Record<string, TensorInfo>>;
  outputs: Readonly<Record<Output, WebGpuOutput>>;
  uniforms?: Readonly<Record<string, WebGpuUniform>> | undefined;
  /** Inputs and outputs, of float32 and as many elements as 4 divides, that are bound as `array<vec4f>`. */
  vectors?: readonly string[] | undefined;
  /** Features whose `enable` the module begins with; a device without one refuses the program. `fullDevice` of `initBackend` starts one with all that the adapter has. */
  requires?: readonly WebGpuFeature[] | undefined;
  workgroupSize: [number, number, number];
  /** At most 65,535 an axis on a stock device: a longer grid is folded over two axes, or a loop strides by `num_workgroups`. */
  workgroups: [number, number, number];
  /** WGSL functions and `var<workgroup>`; the entry point is written as `fn main(...)` with its builtins, without attributes. */
  code: string;
}

/** An Error that names the program; these are mistakes of a kernel's author or sizes its `accepts` should have refused. */
export function programError(program: { readonly name: string }, message: string): Error {
  return new Error(`WebGPU program '${program.name}': ${message}`);
}
