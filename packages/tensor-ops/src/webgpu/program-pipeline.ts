import { programDeclarations, programSource } from './program-source';
import type { WebGpuProgram, WgslScalar } from './web-gpu-program';

/** A compiled program: the explicit layout allows one bind group per call without asking the pipeline. */
export interface ProgramPipeline {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

const pipelines = new WeakMap<GPUDevice, Map<string, ProgramPipeline>>();

/**
 * The pipeline of a program on a device, compiled on first use. Its key is the whole text of the module: two programs that differ in
 * anything baked into the shader cannot meet.
 *
 * @throws Error as `programSource`.
 */
export function programPipeline(device: GPUDevice, program: WebGpuProgram, inputTypes: readonly WgslScalar[]): ProgramPipeline {
  let ofDevice = pipelines.get(device);
  if (ofDevice === undefined) pipelines.set(device, (ofDevice = new Map()));
  const declarations = programDeclarations(program, inputTypes);
  const key = declarations + program.code;
  let compiled = ofDevice.get(key);
  if (compiled === undefined) ofDevice.set(key, (compiled = compile(device, program, programSource(program, declarations))));
  return compiled;
}

function compile(device: GPUDevice, program: WebGpuProgram, code: string): ProgramPipeline {
  const label = program.name;
  const types: GPUBufferBindingType[] = [
    ...Object.keys(program.inputs).map(() => 'read-only-storage' as const),
    ...Object.keys(program.outputs).map(() => 'storage' as const),
    ...(Object.keys(program.uniforms ?? {}).length > 0 ? (['uniform'] as const) : []),
  ];
  const layout = device.createBindGroupLayout({
    label,
    // 4 is GPUShaderStage.COMPUTE.
    entries: types.map((type, binding) => ({ binding, visibility: 4, buffer: { type } })),
  });
  const pipeline = device.createComputePipeline({
    label,
    layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ label, code }), entryPoint: 'main' },
  });
  return { pipeline, layout };
}
