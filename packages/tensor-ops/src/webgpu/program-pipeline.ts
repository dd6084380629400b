/** A compiled program: the explicit layout allows one bind group per call without asking the pipeline. */
export interface ProgramPipeline {
  pipeline: GPUComputePipeline;
  layout: GPUBindGroupLayout;
}

const pipelines = new WeakMap<GPUDevice, Map<string, ProgramPipeline>>();

/**
 * The pipeline of a module's text on a device, compiled on first use. The text is the whole key: two programs that differ in anything
 * baked into the shader cannot meet.
 */
export function programPipeline(
  device: GPUDevice,
  label: string,
  source: string,
  bindings: GPUBufferBindingType[],
): ProgramPipeline {
  let ofDevice = pipelines.get(device);
  if (ofDevice === undefined) pipelines.set(device, (ofDevice = new Map()));
  let compiled = ofDevice.get(source);
  if (compiled === undefined) {
    const layout = device.createBindGroupLayout({
      label,
      // 4 is GPUShaderStage.COMPUTE, whose global exists in browsers only.
      entries: bindings.map((type, binding) => ({ binding, visibility: 4, buffer: { type } })),
    });
    const pipeline = device.createComputePipeline({
      label,
      layout: device.createPipelineLayout({ label, bindGroupLayouts: [layout] }),
      compute: { module: device.createShaderModule({ label, code: source }), entryPoint: 'main' },
    });
    compiled = { pipeline, layout };
    ofDevice.set(source, compiled);
  }
  return compiled;
}
