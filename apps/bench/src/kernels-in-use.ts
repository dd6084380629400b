import { enableWasmKernels, setWasmBuild, type WasmBuild, type WasmReport } from '@mixfold/tensor-ops';

let enabled: WasmReport | undefined;

/** From here on tfjs's WASM backend runs its own kernels. */
export function useStockKernels(): void {
  enabled?.restore();
  enabled = undefined;
}

/** From here on it runs ours, in one build. */
export async function useOurKernels(build: WasmBuild): Promise<void> {
  setWasmBuild(build);
  enabled ??= await enableWasmKernels();
}
