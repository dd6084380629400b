import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { nestParams } from '../model/params';
import { CheckpointError } from './checkpoint-error';
import { type Checkpoint, type CheckpointRecord, parseRecord } from './checkpoint-state';
import { readSafetensors } from './read-safetensors';
import { digestOfTensors, makeTensors } from './read-tensors';
import type { SafeTensor, Safetensors } from './safetensors-format';
import { MODEL_FILE, STATE_FILE } from './save-checkpoint';

/**
 * Loads what `saveCheckpoint` saved. Everything is checked, checksums included, before the first tensor is made.
 *
 * @returns The checkpoint. The caller disposes its tensors.
 * @throws CheckpointError if the folder is not there, is not a checkpoint, or any file of it is truncated or damaged.
 */
export async function loadCheckpoint(directory: string): Promise<Checkpoint> {
  const { record, weights } = await readModel(directory);
  const moments = await readMoments(directory, record);
  return {
    config: record.config,
    step: record.step,
    random: record.random,
    params: nestParams(makeTensors(weights)),
    optimizer: { updates: record.optimizer.updates, tensors: Object.fromEntries(makeTensors(moments)) },
  };
}

/** Loads the weights alone, for evaluation and sampling: the moments may be missing. @throws CheckpointError */
export async function loadModel(directory: string): Promise<Pick<Checkpoint, 'config' | 'step' | 'params'>> {
  const { record, weights } = await readModel(directory);
  return { config: record.config, step: record.step, params: nestParams(makeTensors(weights)) };
}

async function readModel(directory: string): Promise<{ record: CheckpointRecord; weights: Map<string, SafeTensor> }> {
  const path = join(directory, MODEL_FILE);
  const { tensors, metadata } = await readTensorFile(directory, MODEL_FILE);
  const text = metadata.get('mixfold');
  if (text === undefined) throw new CheckpointError(`${path} was not written by mixfold; give a folder that mixfold train wrote`);
  const record = parseRecord(text, path);
  if (digestOfTensors(tensors) !== record.sha256)
    throw new CheckpointError(`${path} is damaged: its weights do not fit their checksum; train again`);
  await checkStateFile(directory, record);
  return { record, weights: tensors };
}

/**
 * `state.json` may be missing or one checkpoint behind, after a crash between two renames, but it must not be broken or of
 * another run.
 */
async function checkStateFile(directory: string, record: CheckpointRecord): Promise<void> {
  const path = join(directory, STATE_FILE);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw new CheckpointError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  const copy = parseRecord(text, path);
  if (copy.step > record.step) {
    throw new CheckpointError(
      `${path} is of step ${copy.step}, but ${MODEL_FILE} of step ${record.step}; they belong to different checkpoints`,
    );
  }
}

async function readMoments(directory: string, record: CheckpointRecord): Promise<Map<string, SafeTensor>> {
  const { file, sha256 } = record.optimizer;
  const { tensors } = await readTensorFile(directory, file);
  if (digestOfTensors(tensors) !== sha256) {
    throw new CheckpointError(
      `${join(directory, file)} is damaged: it does not fit its checksum; it can still be evaluated and sampled`,
    );
  }
  return tensors;
}

async function readTensorFile(directory: string, name: string): Promise<Safetensors> {
  const path = join(directory, name);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'ENOENT' && code !== 'ENOTDIR') throw new CheckpointError(`${path} cannot be read (${code})`);
    const isThere = await stat(directory).then(
      (found) => found.isDirectory(),
      () => false,
    );
    throw new CheckpointError(
      isThere
        ? `${directory} holds no ${name}; give a folder that mixfold train wrote`
        : `${directory} does not exist; give a folder that mixfold train wrote`,
    );
  }
  try {
    return readSafetensors(bytes);
  } catch (error) {
    throw new CheckpointError(`${path} is damaged: ${(error as Error).message}; restore it, or train again`);
  }
}
