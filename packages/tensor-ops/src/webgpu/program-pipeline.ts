import { programDeclarations, programSource } from './program-source';
import type { WebGpuProgram, WgslScalar } from './web-gpu-program';

/** A compiled program: the explicit layout allows one bind group per call without asking the pipeline. */
export interface ProgramPipeline {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

/** By device, code and declarations: the code first, for a kernel passes the same string again and again, whose hash is kept. */
const pipelines = /* @__PURE__ */ new WeakMap<GPUDevice, Map<string, Map<string, ProgramPipeline>>>();

/**
 * The pipeline of a program on a device, compiled on first use. Its key is the whole text of the module: two programs that differ in
 * anything baked into the shader cannot meet.
 *
 * @throws Error as `programSource`.
 */
export function programPipeline(device: GPUDevice, program: WebGpuProgram, inputTypes: readonly WgslScalar[]): ProgramPipeline {
  let ofDevice = pipelines.get(device);
  if (ofDevice === undefined) pipelines.set(device, (ofDevice = new Map()));
  let ofCode = ofDevice.get(program.code);
  if (ofCode === undefined) ofDevice.set(program.code, (ofCode = new Map()));
  const declarations = programDeclarations(program, inputTypes);
  let compiled = ofCode.get(declarations);
  if (compiled === undefined) {
    const source = programSource(program, declarations, device.limits);
    ofCode.set(declarations, (compiled = compile(device, program, source)));
  }
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
