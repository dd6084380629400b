import { loadModel } from '../checkpoint/load-checkpoint';
import type { LanguageModel } from '../model/language-model';
import type { Params } from '../model/params';
import { checkParamsFit } from '../run/check-params-fit';
import { modelOf, parseRunConfig, type RunConfig } from '../run/run-config';

/** The model of a run's last checkpoint, on the device that was started. @throws CheckpointError */
export async function loadRun(
  directory: string,
): Promise<{ config: RunConfig; step: number; model: LanguageModel; params: Params }> {
  const { config: stored, step, params } = await loadModel(directory);
  const config = parseRunConfig(stored, directory);
  const model = modelOf(config);
  checkParamsFit(model, params, directory);
  return { config, step, model, params };
}
