import { checkOptions, show } from '../check-options';
import { OptionError } from '../errors';
import { registry } from '../operator/registry';
import { type BackendName, type BackendReport, backendNames, type InitBackendOptions } from './backend-report';

/** A backend that was started; `tfjsName` is the name by which tfjs and kernels know it. */
export interface StartedBackend {
  tfjsName: string;
  device: string;
  software: boolean;
}

/** Starts one backend as tfjs's current one, or says why it cannot be used. */
export type StartBackend = (
  options: Required<Omit<InitBackendOptions, 'prefer'>>,
) => Promise<StartedBackend | { refused: string }>;

/** Tries the preferred backends, then `usual`, until one starts. */
export async function chooseBackend(
  options: InitBackendOptions,
  usual: readonly BackendName[],
  starters: Record<BackendName, StartBackend>,
): Promise<BackendReport> {
  const { prefer, ...how } = checkInitOptions(options);
  const tried: BackendReport['tried'] = [];
  for (const backend of new Set([...prefer, ...usual])) {
    const started = await starters[backend](how);
    if ('refused' in started) {
      tried.push({ backend, reason: started.refused });
      continue;
    }
    const { tfjsName, device, software } = started;
    const fused = [...registry().operators.values()].filter(({ spec }) => spec.kernels?.[tfjsName] !== undefined);
    return { backend, device, software, tried, fused: fused.map(({ spec }) => spec.name) };
  }
  const reasons = tried.map(({ backend, reason }) => `\n  ${backend.padEnd(13)}  ${reason}`);
  throw new Error(`initBackend: no backend can be used${reasons.join('')}`);
}

function checkInitOptions(options: InitBackendOptions): Required<InitBackendOptions> {
  checkOptions('initBackend', options, { prefer: 'unchecked', allowSoftwareGpu: 'boolean', fullDevice: 'boolean' });
  const { prefer = [], allowSoftwareGpu = false, fullDevice = false } = options;
  if (!Array.isArray(prefer))
    throw new OptionError(`initBackend: option prefer must be an array of backend names, got ${show(prefer)}`);
  for (const name of prefer) {
    if (!backendNames.includes(name)) {
      throw new OptionError(
        `initBackend: unknown backend ${show(name)} in option prefer; the backends are ${backendNames.join(', ')}`,
      );
    }
  }
  return { prefer, allowSoftwareGpu, fullDevice };
}
