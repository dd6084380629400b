import { readFile } from 'node:fs/promises';
import { InputError } from '../input-error';
import { BLOCK_BYTES, VALIDATION_STRIDE } from './split-blocks';
import { type TextCorpus, textCorpus } from './text-corpus';
import { readTypescriptDeclarations } from './typescript-declarations';

/**
 * Reads the text to train on: a file, or the declarations of TypeScript's standard library if none is named.
 *
 * @param path - any file; it is read as bytes, whatever its encoding.
 * @param context - bytes the model looks at; both parts of the split must hold a window of `context + 1`.
 * @throws InputError if the file cannot be read, is empty or is too short for the context.
 */
export async function readTextCorpus(path: string | undefined, context: number): Promise<TextCorpus> {
  const { bytes, source } =
    path === undefined ? await readTypescriptDeclarations() : { bytes: await readText(path), source: path };
  if (bytes.length === 0) throw new InputError(`--data ${source} is empty: give a file with text in it`);
  const needed = (context + 1) * VALIDATION_STRIDE;
  const corpus = bytes.length < needed ? undefined : textCorpus(bytes, source);
  if (corpus !== undefined && corpus.validation.length > context) return corpus;
  // Whole blocks are held out, so a text between these two sizes may lack one.
  const enough = corpus === undefined ? needed : needed + VALIDATION_STRIDE * BLOCK_BYTES;
  const cure = `give at least ${enough} bytes, or a smaller --context`;
  throw new InputError(`--data ${source} has ${bytes.length} bytes, too short for --context ${context}: ${cure}`);
}

async function readText(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw new InputError(`--data ${path} does not exist: give the path of a text file`);
    if (code === 'EISDIR') throw new InputError(`--data ${path} is a folder: give the path of a text file`);
    throw new InputError(`--data ${path} cannot be read (${code ?? String(error)}): give a text file that you may read`);
  }
}
