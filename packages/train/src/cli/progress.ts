import type { LogLine } from '../run/run-folder';

/** Shows the lines of a log while a run goes on. */
export interface Progress {
  show(line: LogLine): void;
  /** Ends a line that is being rewritten. */
  close(): void;
}

/** One rewritten line on a terminal, one JSON line per event elsewhere. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? terminalProgress(stream) : { show: (line) => stream.write(`${JSON.stringify(line)}\n`), close: () => {} };
}

function terminalProgress(stream: NodeJS.WriteStream): Progress {
  let rewriting = false;
  let validation = '';
  const close = () => {
    if (rewriting) stream.write('\n');
    rewriting = false;
  };
  const print = (text: string) => {
    close();
    stream.write(`${text}\n`);
  };
  return {
    close,
    show(line) {
      switch (line.event) {
        case 'start':
          return print(startText(line));
        case 'step': {
          const text = stepText(line, validation).slice(0, Math.max(20, (stream.columns || 80) - 1));
          stream.write(`\r${text}\u001b[K`);
          rewriting = true;
          return;
        }
        case 'evaluate':
          validation = `  validation ${number(line.loss)}`;
          return;
        case 'sample':
          return print(`\nSample after the held-out beginning:\n\n${indent(`${line.prompt}${line.text}`)}\n`);
        case 'end':
          return print(endText(line));
      }
    },
  };
}

function startText(line: LogLine): string {
  const { text, device } = line as LogLine & { text: Record<string, unknown>; device: Record<string, unknown> };
  return [
    `Device      ${device.form}, ${device.device}`,
    `Text        ${text.source}: ${text.trainingBytes} bytes to train on, ${text.validationBytes} held out`,
    `Entropy     order 0: ${number(text.order0)} nats per byte, order 1 (bigram): ${number(text.order1)}`,
    `Model       ${line.weights} weights, step ${line.step} of ${line.steps}`,
  ].join('\n');
}

function stepText(line: LogLine, validation: string): string {
  const loss = `loss ${number(line.loss)} nats  ${number(line.bitsPerByte)} bits/byte${validation}`;
  return `step ${line.step}/${line.steps}  ${loss}  ${Math.round(Number(line.tokensPerSecond))} tokens/s  ${clock(Number(line.secondsLeft))} left`;
}

function endText(line: LogLine): string {
  if (line.stopped)
    return `Stopped after step ${line.step} of ${line.steps}; the checkpoint is kept.\nGo on with   ${command} train --resume ${line.directory}`;
  const below = Number(line.order1) - Number(line.loss);
  return [
    `Validation  ${number(line.loss)} nats per byte, ${number(line.bitsPerByte)} bits`,
    `Entropy     order 0: ${number(line.order0)}, order 1: ${number(line.order1)} nats; the model is ${number(Math.abs(below))} ${below > 0 ? 'below' : 'above'} order 1`,
    `Report      ${line.report}`,
  ].join('\n');
}

/** How this command is called: through npm in a clone, by its name elsewhere. */
const command = process.env.npm_lifecycle_event === undefined ? 'mixfold' : 'npm run mixfold --';

const number = (value: unknown) => Number(value).toFixed(3);

const clock = (seconds: number) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

const indent = (text: string) => printable(text).replaceAll(/^/gm, '  ');

/** Drawn bytes can be control characters, which would act on the terminal. */
export const printable = (text: string) =>
  text.replace(/[\p{Cc}]/gu, (character) => ('\n\t'.includes(character) ? character : '\ufffd'));
