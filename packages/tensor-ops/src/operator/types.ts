import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import type { AxisContract, BoundAxes, TensorsOf } from '../axes';
import type { OptionRule } from '../check-options';
import type { ImplementationForm } from './registry';

/** Options of an operator that are not tensors, with their defaults. */
export type Attributes = Readonly<Record<string, string | number | boolean | null>>;

/** What an input holds: float32 unless declared. `mask` takes bool, int32 or float32 and reaches kernels as float32, nonzero = attend. */
export type InputDType = 'float32' | 'int32' | 'mask';

/** What a fused kernel is given; no size is 0. */
export interface KernelCall extends BoundAxes {
  /** The inputs that are present, by name. */
  readonly inputs: Readonly<Record<string, TensorInfo>>;
  readonly attributes: Attributes;
  /** The outputs to make, exactly these; saved ones are among them only while a gradient will need them. */
  readonly outputShapes: Readonly<Record<string, number[]>>;
  /** The tfjs backend object; the kernel knows which one it is written for. */
  readonly backend: unknown;
}

/** A kernel written for one backend. */
export interface FusedKernel {
  /** Why the kernel cannot take these sizes, or null if it can. Absent: it takes all. */
  accepts?(call: KernelCall): string | null;
  /** Makes every tensor that `outputShapes` names. Checks come before the first allocation. */
  run(call: KernelCall): Record<string, TensorInfo>;
}

/** The declaration of an operator. */
export interface OperatorSpec<Inputs extends AxisContract, Options extends Attributes, Outputs extends AxisContract> {
  /** Its name as a tfjs kernel. */
  readonly name: string;
  /** The function users call, which error messages begin with. Default: `name` with a small first letter. */
  readonly publicName?: string;
  /** Axis string per input; `name?` is optional. */
  readonly inputs: Inputs;
  /** Inputs that are not float32. */
  readonly dtypes?: Readonly<Record<string, InputDType>>;
  /** Attributes and their defaults. */
  readonly attributes?: Options;
  /** What attributes may hold, where the type of the default does not say it. */
  readonly attributeRules?: Readonly<Partial<Record<keyof Options, OptionRule>>>;
  /** Axis string per output. `dName?` and `finalName?` are made when the input `name` is present. */
  readonly outputs: Outputs;
  /** The shapes of outputs that axis words cannot say, from the shapes of the inputs; such outputs are declared with a group: `'...y'`. */
  shapes?(inputs: Readonly<Record<string, readonly number[]>>, attributes: Options): Readonly<Record<string, readonly number[]>>;
  /** What outputs hold where there is nothing to compute them from. Default 0, as a sum over nothing has. */
  readonly emptyValue?: number;
  /** Further outputs which only the backward operator sees; made while a gradient tape records, else not at all. */
  readonly saved?: AxisContract;
  /** The operator as tfjs ops. Runs in a tidy, off the tape; returns every output that `outputShapes` names. */
  compose(inputs: TensorsOf<Inputs>, attributes: Options, call: ComposeCall): Record<string, Tensor>;
  /** Fused kernels by tfjs backend name. */
  readonly kernels?: Readonly<Record<string, FusedKernel>>;
  /**
   * The gradient, an operator too. Its inputs are named after the inputs, outputs and saved tensors of this one, and `dOutput` for the gradient
   * that arrives at `output`; its outputs are `dQuery` for the gradient of `query`. An input without one (a mask) gets zeros.
   */
  readonly backward?: AnyOperator;
  /** Whether the gradients share no work. Each is then computed by itself, and only if something needs it: `backward` is asked for one output at a time. */
  readonly separateGradients?: boolean;
}

/** What a composed form may need beside its inputs. */
export type ComposeCall = Pick<KernelCall, 'sizes' | 'groups' | 'outputShapes'>;

/** Which form runs, and why. */
export interface Implementation {
  readonly backend: string;
  readonly form: ImplementationForm;
  /** The build of the WASM kernel, where one runs. */
  readonly build?: 'simd128' | 'relaxed';
  readonly reason: string;
}

/** A declared operator. */
export interface Operator<
  Inputs extends AxisContract = AxisContract,
  Options extends Attributes = Attributes,
  Outputs extends AxisContract = AxisContract,
> {
  readonly spec: OperatorSpec<Inputs, Options, Outputs>;
  /**
   * Checks the inputs and runs the operator on the current backend, recording its gradient.
   *
   * @param only - The outputs to make, if not all of them.
   * @returns Every output by name; new tensors, which the caller disposes.
   * @throws ShapeError, DTypeError or OptionError before anything is allocated.
   */
  run(inputs: TensorsOf<Inputs>, attributes?: Partial<Options>, only?: readonly (keyof TensorsOf<Outputs>)[]): TensorsOf<Outputs>;
}

// biome-ignore lint/suspicious/noExplicitAny: an operator is contravariant in its inputs, so no other type takes them all
export type AnyOperator = Operator<any, any, any>;
