import type { TrainState } from '../checkpoint/checkpoint-state';
import type { TextCorpus } from '../data/text-corpus';
import { disposeParams } from '../model/params';
import { writeReport } from '../report/write-report';
import { bitsPerByte } from '../training/evaluate';
import { generate } from '../training/generate';
import { train } from '../training/train';
import { formOf, modelOf, type RunConfig } from './run-config';
import { appendLog, beginRunFolder, type LogLine } from './run-folder';
import type { Device } from './start-device';

/** A run of the command line: one folder, from its first file to its report. */
export interface TrainingRun {
  config: RunConfig;
  corpus: TextCorpus;
  directory: string;
  device: Device;
  /** Goes on from this state, whose log so far is `log`. */
  state?: TrainState;
  log?: LogLine[];
  /** Stops after this step, as the signal does. */
  stopAfter?: number | undefined;
  signal?: AbortSignal;
  /** Hears of every line of the log. */
  onLine(line: LogLine): void;
}

const SAMPLE_BYTES = 400;

/**
 * Trains, logs, saves, samples and reports.
 *
 * @returns Whether the run was stopped before its last step.
 */
export async function runTraining(run: TrainingRun): Promise<{ stopped: boolean }> {
  const { config, corpus, directory, device, state, log = [], onLine } = run;
  const model = modelOf(config);
  const stop = new AbortController();
  const signal = run.signal ? AbortSignal.any([run.signal, stop.signal]) : stop.signal;
  await beginRunFolder(directory, config, log);
  const write = (line: LogLine) => {
    appendLog(directory, line);
    onLine(line);
  };
  const { entropy } = corpus;
  const about = {
    text: { source: corpus.source, trainingBytes: corpus.training.length, validationBytes: corpus.validation.length, ...entropy },
    model: { mixer: config.mixer, dim: config.dim, layers: config.layers },
    training: { batch: config.batch, context: config.context, rate: config.rate, seed: config.seed, optimizer: 'adamW' },
    device: { ...device, form: formOf(config, model.mixer) },
  };
  const { steps, batch, context, seed, rate } = config;
  const checkpoint = { directory, every: Math.max(1, Math.round(steps / 10)), config };
  const events = train({ model, corpus, steps, batch, context, seed, rate, checkpoint, signal, ...(state ? { state } : {}) });
  let loss: number | undefined;
  for await (const event of events) {
    if (event.event === 'start') write({ ...event, ...about });
    else if (event.event === 'evaluate') {
      loss = event.loss;
      write({ ...event, ...entropy });
    } else if (event.event !== 'end') write({ ...event });
    if (event.event === 'step' && event.step === run.stopAfter) stop.abort();
    if (event.event !== 'end') continue;

    const { params, optimizer } = event.state;
    for (const tensor of Object.values(optimizer.tensors)) tensor.dispose();
    if (!event.stopped) {
      const prompt = beginningOfLine(corpus.validation, Math.min(48, context));
      const drawn = await generate(model, params, { prompt, tokens: SAMPLE_BYTES, temperature: 0.8, topK: 40, seed });
      write({ event: 'sample', step: event.step, prompt: decode(prompt), text: decode(drawn) });
    }
    disposeParams(params);
    const { step, stopped, seconds } = event;
    const reached = loss === undefined ? {} : { loss, bitsPerByte: bitsPerByte(loss), ...entropy };
    const end = { event: 'end', step, steps, stopped, seconds, ...(stopped ? {} : reached), directory };
    appendLog(directory, end);
    const report = await writeReport(directory);
    onLine({ ...end, report });
    return { stopped };
  }
  throw new Error('the run ended without its last event');
}

/** Bytes from the first beginning of a line on, or from the beginning of the text. */
function beginningOfLine(text: Uint8Array, length: number): Uint8Array {
  const start = text.indexOf(0x0a) + 1;
  return start + length <= text.length ? text.subarray(start, start + length) : text.subarray(0, length);
}

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
