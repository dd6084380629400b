import { enableWasmKernels, setWasmBuild, type WasmBuild, type WasmReport } from '@mixfold/tensor-ops';

let enabled: WasmReport | undefined;

/** From here on tfjs's WASM backend runs its own kernels. */
export function useStockKernels(): void {
  enabled?.restore();
  enabled = undefined;
}

/** From here on it runs ours, in one build. Products of matrices run on so many threads. */
export async function useOurKernels(build: WasmBuild, threads = 1): Promise<void> {
  setWasmBuild(build);
  if (enabled?.threads !== threads) enabled = await enableWasmKernels({ threads });
}
