import { engine, setBackend } from '@tensorflow/tfjs-core';

/**
 * Makes a registered tfjs backend the current one.
 *
 * @returns null, or why it could not be started; the backend that was current before is then current again.
 * @remarks `tf.setBackend` only prints the cause of a failure, so the factory is watched while it runs.
 */
export async function startTfjsBackend(name: string): Promise<string | null> {
  const tfjs = engine();
  const registration = tfjs.registryFactory[name];
  if (registration === undefined) return 'it is not registered with tfjs';
  const before = tfjs.backendName;
  const { factory } = registration;
  let cause: unknown;
  registration.factory = () => {
    try {
      const made = factory();
      if (made instanceof Promise) made.catch((error) => (cause = error));
      return made;
    } catch (error) {
      cause = error;
      throw error;
    }
  };
  try {
    if (await setBackend(name)) return null;
  } finally {
    registration.factory = factory;
  }
  if (tfjs.registry[before] !== undefined) await setBackend(before);
  return `it could not be started: ${firstLine(cause) ?? 'tfjs gave no reason'}`;
}

/** The first line of an error's message: what a reason in a report has room for. tfjs also rejects with plain `{message}` objects. */
export function firstLine(error: unknown): string | undefined {
  const { message } = (error ?? {}) as { message?: unknown };
  const text = typeof message === 'string' ? message : String(error ?? '');
  return text.split('\n', 1)[0] || undefined;
}
