import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { flattenParams } from '../model/params';
import type { Checkpoint, CheckpointRecord } from './checkpoint-state';
import { digestOfTensors, readTensors } from './read-tensors';
import { removeStaleTemporaries, writeFileAtomically } from './write-file-atomically';
import { writeSafetensors } from './write-safetensors';

/** Name of the file whose replacement makes a checkpoint valid. */
export const MODEL_FILE = 'model.safetensors';

/** Name of the readable copy of the record. */
export const STATE_FILE = 'state.json';

/**
 * Saves a training run so that a crash at any moment leaves either the previous checkpoint or this one, whole.
 *
 * The moments go to a new file, `optimizer-STEP.safetensors`; then `model.safetensors` is replaced, and its metadata name that
 * file: this one rename is the moment at which the new checkpoint holds. `state.json` repeats the metadata for readers and
 * scripts. Older moments are removed last.
 *
 * @param directory - made if it is not there.
 * @remarks Nothing given is changed or disposed. Costs the writing of three times the weights.
 */
export async function saveCheckpoint(directory: string, { config, step, params, optimizer, random }: Checkpoint): Promise<void> {
  await mkdir(directory, { recursive: true });
  const [weights, moments] = await Promise.all([
    readTensors(flattenParams(params)),
    readTensors(Object.entries(optimizer.tensors)),
  ]);
  const optimizerFile = `optimizer-${step}.safetensors`;
  const record: CheckpointRecord = {
    format: 'mixfold checkpoint 1',
    step,
    random: [...random],
    optimizer: { updates: optimizer.updates, file: optimizerFile, sha256: digestOfTensors(moments) },
    sha256: digestOfTensors(weights),
    config,
  };
  const metadata = new Map([['mixfold', JSON.stringify(record)]]);
  await writeFileAtomically(join(directory, optimizerFile), writeSafetensors(moments));
  await writeFileAtomically(join(directory, MODEL_FILE), writeSafetensors(weights, metadata));
  await writeFileAtomically(join(directory, STATE_FILE), `${JSON.stringify(record, null, 2)}\n`);
  await removeOlder(directory, optimizerFile);
}

async function removeOlder(directory: string, currentFile: string): Promise<void> {
  const names = await readdir(directory);
  const older = names.filter((name) => /^optimizer-\d+\.safetensors$/.test(name) && name !== currentFile);
  await Promise.all(older.map((name) => rm(join(directory, name), { force: true })));
  await removeStaleTemporaries(directory, (name) => /^(optimizer-\d+\.safetensors|model\.safetensors|state\.json)$/.test(name));
}
