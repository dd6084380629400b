let instance: GPU | undefined;

/**
 * Gives Node a `navigator.gpu` through Dawn. It must run before the webgpu backend is imported, which looks for it only then.
 *
 * The driver is the Vulkan loader's choice: `VK_ICD_FILENAMES` names SwiftShader's on a machine without a GPU.
 *
 * @throws Error if no adapter is found, saying what to install.
 */
export async function installDawn(): Promise<GPU> {
  if (instance) return instance;
  const { create, globals } = await import('webgpu');
  Object.assign(globalThis, globals);
  const gpu = create([]) as unknown as GPU;
  if ((await gpu.requestAdapter()) === null) {
    throw new Error(
      `no WebGPU adapter: Dawn found no Vulkan driver (VK_ICD_FILENAMES is ${process.env.VK_ICD_FILENAMES ?? 'not set'}). ` +
        'On Debian: apt-get install chromium libvulkan1',
    );
  }
  if (globalThis.navigator === undefined) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  Object.defineProperty(globalThis.navigator, 'gpu', { value: gpu, configurable: true });
  instance = gpu;
  return gpu;
}
