import { InputError } from '../input-error';
import type { LogLine } from '../run/run-folder';

/** What a report shows, gathered from the lines of a log. */
export interface ReportData {
  title: string;
  /** Figures in words, by name. */
  facts: [section: string, rows: [name: string, value: string][]][];
  /** One column per curve over the steps; null where a step has no value. */
  steps: number[];
  training: (number | null)[];
  validation: (number | null)[];
  order0: number | null;
  order1: number | null;
  sample: { prompt: string; text: string } | null;
}

/** Gathers a report from a log. @throws InputError if the log has no start. */
export function reportData(log: readonly LogLine[], directory: string): ReportData {
  const start = log.findLast((line) => line.event === 'start');
  if (start === undefined)
    throw new InputError(`${directory} holds no run that began: its log has no start; give a folder that mixfold train wrote`);
  const text = record(start.text);
  const end = log.findLast((line) => line.event === 'end');
  const evaluated = log.filter((line) => line.event === 'evaluate');
  const sample = log.findLast((line) => line.event === 'sample');
  const lossAt = (event: string) =>
    new Map(log.filter((line) => line.event === event).map((line) => [Number(line.step), Number(line.loss)]));
  const [training, validation] = [lossAt('step'), lossAt('evaluate')];
  const steps = [...new Set([...training.keys(), ...validation.keys()])].sort((a, b) => a - b);
  const device = record(start.device);
  const speeds = log.filter((line) => line.event === 'step').map((line) => Number(line.tokensPerSecond));
  return {
    title: `mixfold: ${record(start.model).mixer} on text`,
    facts: [
      [
        'Result',
        [
          ['Steps', `${end?.step ?? steps.at(-1) ?? 0} of ${start.steps}${end?.stopped ? ', stopped' : ''}`],
          ['Validation loss', nats(evaluated.at(-1)?.loss)],
          ['Order-1 entropy (bigram)', nats(text.order1)],
          ['Order-0 entropy (byte frequencies)', nats(text.order0)],
          ['Time', end === undefined ? 'unfinished' : `${Number(end.seconds).toFixed(1)} s`],
          ['Speed', speeds.length === 0 ? 'unknown' : `${Math.round(median(speeds))} tokens/s, median`],
        ],
      ],
      ['Model', [...rows(record(start.model)), ['weights', String(start.weights)]]],
      ['Training', rows(record(start.training))],
      ['Text', rows(text).filter(([name]) => !name.startsWith('order'))],
      ['Device', [...rows(device).filter(([name]) => name !== 'versions'), ...rows(record(device.versions))]],
    ],
    steps,
    training: steps.map((step) => training.get(step) ?? null),
    validation: steps.map((step) => validation.get(step) ?? null),
    order0: typeof text.order0 === 'number' ? text.order0 : null,
    order1: typeof text.order1 === 'number' ? text.order1 : null,
    sample: sample === undefined ? null : { prompt: String(sample.prompt), text: String(sample.text) },
  };
}

const record = (value: unknown): Record<string, unknown> => (typeof value === 'object' && value !== null ? { ...value } : {});

const rows = (fields: Record<string, unknown>): [string, string][] =>
  Object.entries(fields).map(([name, value]) => [inWords(name), String(value)]);

const inWords = (name: string) => name.replace(/[A-Z]/g, (capital) => ` ${capital.toLowerCase()}`);

const nats = (loss: unknown) =>
  typeof loss === 'number' ? `${loss.toFixed(3)} nats, ${(loss / Math.LN2).toFixed(3)} bits per byte` : 'not measured';

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;
