import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type * as tf from '@tensorflow/tfjs-core';
import { pythonWithTorch } from './python-with-torch';

/** What PyTorch computed at the weights given. */
export interface TorchGradients {
  readonly version: string;
  readonly loss: number;
  readonly gradients: Readonly<Record<string, Float32Array>>;
}

/** The training step in PyTorch on one thread: a Python process that stays open and times itself. */
export class TorchTrainStep {
  readonly #python: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  private constructor(python: ChildProcessByStdio<Writable, Readable, null>, lines: Interface) {
    this.#python = python;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  /**
   * @param script - path of `torch_train_step.py`.
   * @returns the process and its loss and gradients; null if it ends without them.
   * @throws Error if no python3 has PyTorch.
   */
  static async start(
    script: string,
    sizes: Readonly<Record<string, number>>,
    weights: Readonly<Record<string, tf.Tensor>>,
    data: Readonly<{ x: tf.Tensor; target: tf.Tensor }>,
  ): Promise<{ torch: TorchTrainStep; made: TorchGradients } | null> {
    const env = { ...process.env, OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };
    const python = spawn(await pythonWithTorch(), [script], { stdio: ['pipe', 'pipe', 'ignore'], env });
    python.on('error', () => python.stdout.destroy());
    python.stdin.on('error', () => {});
    const torch = new TorchTrainStep(python, createInterface({ input: python.stdout }));
    const named = await Promise.all(Object.entries(weights).map(async ([name, weight]) => [name, await described(weight)]));
    const [x, target] = await Promise.all([described(data.x), described(data.target)]);
    const made = (await torch.#ask({ sizes, weights: Object.fromEntries(named), x, target })) as {
      version: string;
      loss: number;
      gradients: Record<string, string>;
    } | null;
    if (made === null) return null;
    const gradients = Object.entries(made.gradients).map(([name, text]) => [name, floatsOf(text)] as const);
    return { torch, made: { ...made, gradients: Object.fromEntries(gradients) } };
  }

  /** Milliseconds of one step, over so many. */
  async sample(repeats: number): Promise<number> {
    const ms = await this.#ask(repeats);
    if (typeof ms !== 'number') throw new Error('the PyTorch process ended before its time');
    return ms;
  }

  close(): void {
    this.#python.kill('SIGKILL');
  }

  async #ask(request: unknown): Promise<unknown> {
    this.#python.stdin.write(`${JSON.stringify(request)}\n`);
    const { value, done } = await this.#lines.next();
    return done ? null : JSON.parse(value);
  }
}

async function described(tensor: tf.Tensor): Promise<{ shape: number[]; data: string }> {
  const { buffer, byteOffset, byteLength } = await tensor.data();
  return { shape: tensor.shape, data: Buffer.from(buffer, byteOffset, byteLength).toString('base64') };
}

function floatsOf(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
