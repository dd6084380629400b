import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Input } from '../draw';
import type { OperatorCase, Sizes } from '../operator-case';
import { pythonWithTorch } from './python-with-torch';

export interface TorchAbout {
  readonly version: string;
  readonly device: string;
}

type Answer = { readonly answer: unknown } | { readonly error: string };

/** PyTorch in a Python process that stays open and times itself. */
export class Torch {
  readonly about: TorchAbout;
  readonly #python: ChildProcessByStdio<Writable, Readable, Readable>;
  #answers: ((answer: Answer) => void)[] = [];
  #last: Promise<unknown> = Promise.resolve();
  #ended: string | undefined;

  private constructor(python: ChildProcessByStdio<Writable, Readable, Readable>, about: TorchAbout) {
    this.#python = python;
    this.about = about;
  }

  /**
   * @param script - path of `torch-server.py`.
   * @param device - 'cuda' or 'cpu'.
   * @param threads - of PyTorch on a CPU; 0 leaves its choice.
   * @throws Error saying why there is no PyTorch for that device.
   */
  static async start(script: string, device: 'cuda' | 'cpu', threads = 0): Promise<Torch> {
    const limit = threads > 0 ? { OMP_NUM_THREADS: String(threads), MKL_NUM_THREADS: String(threads) } : {};
    const python = spawn(await pythonWithTorch(), [script, device, String(threads)], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...limit, PYTHONUNBUFFERED: '1' },
    });
    const torch = new Torch(python, { version: '', device: '' });
    torch.#listen();
    try {
      return Object.assign(torch, { about: await torch.#ask<TorchAbout>({ do: 'about' }) });
    } catch (error) {
      torch.close();
      throw error;
    }
  }

  /** Output and gradients of a case at small sizes. */
  async check(operatorCase: OperatorCase, inputs: Readonly<Record<string, Input>>, sizes: Sizes, dOutput: Float32Array) {
    const { output, gradients } = await this.#ask<{ output: string; gradients: Record<string, string> }>({
      do: 'check',
      body: operatorCase.peers!.torch!,
      sizes,
      inputs: Object.entries(inputs).map(([name, input]) => ({ ...described(name, input), data: base64(input.data) })),
      dOutput: base64(dOutput),
    });
    const read = Object.entries(gradients).map(([name, text]) => [name, floatsOf(text)] as const);
    return { output: floatsOf(output), gradients: Object.fromEntries(read) };
  }

  /** Runs both passes once with inputs of its own at the sizes to time; eager, and compiled if asked for. */
  prepare(operatorCase: OperatorCase, inputs: Readonly<Record<string, Input>>, sizes: Sizes, compile: boolean) {
    return this.#ask<{ forms: string[]; failure: string | null }>({
      do: 'prepare',
      name: operatorCase.name,
      body: operatorCase.peers!.torch!,
      sizes,
      inputs: Object.entries(inputs).map(([name, input]) => described(name, input)),
      compile,
    });
  }

  time(
    name: string,
    pass: 'forward' | 'both',
    effort: { rounds: number; sampleMs: number; mostRepeats: number; mostMs: number },
  ) {
    return this.#ask<{ samples: Record<string, number[]>; repeats: Record<string, number>; failures: Record<string, string> }>({
      do: 'time',
      name,
      pass,
      ...effort,
    });
  }

  /** Milliseconds of one run, over so many: for a caller that takes turns with others. */
  async sample(name: string, pass: 'forward' | 'both', repeats: number): Promise<number> {
    return (await this.#ask<{ ms: number }>({ do: 'single', name, pass, repeats })).ms;
  }

  drop(name: string): Promise<unknown> {
    return this.#ask({ do: 'drop', name });
  }

  close(): void {
    this.#python.kill('SIGKILL');
  }

  #listen(): void {
    let errors = '';
    this.#python.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(-2000)));
    createInterface({ input: this.#python.stdout }).on('line', (line) => this.#answers.shift()?.(JSON.parse(line)));
    const end = (why: string) => {
      this.#ended ??= why;
      for (const answer of this.#answers.splice(0)) answer({ error: this.#ended });
    };
    this.#python.on('error', (error) => end(`python3 cannot be started: ${error.message}`));
    this.#python.on('close', (code, signal) => end(errors.trim().split('\n').at(-1) || `python3 ended (${signal ?? code})`));
    this.#python.stdin.on('error', () => {});
  }

  /** One request at a time; answers come in order. */
  async #ask<Result>(request: object): Promise<Result> {
    const asked = this.#last.then(
      () =>
        new Promise<Answer>((resolve) => {
          if (this.#ended !== undefined) return resolve({ error: this.#ended });
          this.#answers.push(resolve);
          this.#python.stdin.write(`${JSON.stringify(request)}\n`);
        }),
    );
    this.#last = asked;
    const answer = await asked;
    if ('error' in answer) throw new Error(answer.error);
    return answer.answer as Result;
  }
}

function described(name: string, { shape, trained, below, positive, data }: Input) {
  return {
    name,
    shape,
    trained,
    dtype: data instanceof Int32Array ? 'int32' : 'float32',
    ...(below === undefined ? {} : { below }),
    ...(positive ? { positive } : {}),
  };
}

function base64({ buffer, byteOffset, byteLength }: Float32Array | Int32Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('base64');
}

function floatsOf(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
