/** One of the things that a case times. All of a case do comparable work, in the same process, turn about. */
export interface Contestant {
  /** Unique within the case: 'ours, transposed left'. */
  readonly name: string;
  /** What runs: 'fused wasm relaxed', 'stock tfjs-wasm'. */
  readonly form: string;
  /** Floating-point operations of one run, if rates are to be told. */
  readonly flops?: number;
  /** Works on several threads: its time is the clock's, for the process's own counts every thread. */
  readonly threaded?: boolean;
  /** Untimed, before every sample: choose kernels and builds. */
  enter(): Promise<void> | void;
  /** Does the work, to its end. A peer that only answers by a promise may return one. */
  run(): void | Promise<void>;
  /** Times itself where this process cannot: milliseconds of one run, over so many. */
  sample?(repeats: number): Promise<number>;
  /** What it measures is a limit of the machine for this case: its copy, its arithmetic. */
  readonly isLimit?: boolean;
}

/** A form or a peer that cannot take part, named so that nobody takes it for forgotten. */
export interface Missing {
  readonly name: string;
  readonly reason: string;
}

/** A bound that the figures of a case should keep. */
export interface Target {
  readonly text: string;
  readonly value: number;
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** Median milliseconds of one run of a contestant, by its name. */
export type Medians = (name: string) => number;

/** What a prepared case gives the runner. */
export interface Contest {
  readonly contestants: readonly Contestant[];
  /** @throws Error if any contestant computes something wrong; then nothing is timed. */
  check(): Promise<void> | void;
  /** The ratios to report, from the medians. */
  targets(medians: Medians): Target[];
  /** The contestant that the others' times are told over. */
  readonly ours?: string;
  /** Contestants that cannot take part; filled by `check` at the latest. */
  readonly missing?: readonly Missing[];
  dispose(): void;
}

/** A case that is measured in another unit than time. */
export interface Measurement {
  readonly rows: readonly { readonly name: string; readonly form: string; readonly value: string }[];
  readonly targets: readonly Target[];
}

export interface BenchCase {
  /** What `--only` selects by. */
  readonly name: string;
  readonly about: string;
  /** Runs with `--full` alone. */
  readonly onlyFull?: boolean;
  /** Makes the inputs. `full` asks for everyone who can take part. */
  prepare?(full: boolean): Promise<Contest>;
  /** Or measures by itself, its own checks included. */
  measure?(): Promise<Measurement>;
}
