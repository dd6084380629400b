import { CheckpointError } from '../checkpoint/checkpoint-error';
import type { Model } from '../model/model';
import { disposeParams, flattenParams, type Params } from '../model/params';
import { createRandom } from '../random/random';

/** Refuses weights that are not those of the model: other names, or other shapes. @throws CheckpointError */
export function checkParamsFit(model: Model, params: Params, directory: string): void {
  const template = model.init(createRandom(0));
  const shapes = (of: Params) => flattenParams(of).map(([path, { shape, dtype }]) => `${path} [${shape.join(', ')}] ${dtype}`);
  const [wanted, found] = [shapes(template), shapes(params)];
  disposeParams(template);
  const at = wanted.findIndex((weight, i) => weight !== found[i]);
  if (at < 0 && wanted.length === found.length) return;
  throw new CheckpointError(
    `${directory}/model.safetensors does not fit its own configuration: expected ${wanted[at] ?? 'no more weights'}, found ${found[at] ?? found[wanted.length] ?? 'none'}`,
  );
}
