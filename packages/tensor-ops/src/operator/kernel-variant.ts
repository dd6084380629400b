import {
  clone,
  engine,
  type GradFunc,
  getBackend,
  getGradient,
  getKernel,
  registerGradient,
  registerKernel,
  type Tensor,
  type TensorInfo,
  tensor,
  tidy,
  util,
  zeros,
} from '@tensorflow/tfjs-core';
import { shapeOfAxes } from '../axes';
import type { CallPlan } from './call-plan';
import { fusedKernel } from './implementation';
import { gradientName, inputOf, type ParsedOperator } from './parsed-operator';
import { type ImplementationForm, registry } from './registry';
import type { AnyOperator, Attributes, KernelCall } from './types';

/** What a kernel and its gradient need beside the tensors; travels as a tfjs attribute. */
export interface TapedAttributes {
  readonly call: {
    readonly attributes: Attributes;
    readonly plan: CallPlan;
    /** The form forced when the forward ran; its gradient keeps to it. */
    readonly forcedForm: ImplementationForm | undefined;
  };
}

/**
 * The tfjs kernels of an operator, registered on first use on a backend, and their gradients. There is one kernel name per set of inputs that are
 * present, because tfjs saves inputs for the gradient by a fixed list of names.
 */
export class KernelVariants {
  readonly #optional: readonly string[];
  /** Per backend the names of the kernels, by the set of optional inputs, one bit each. */
  readonly #names = new Map<string, string[]>();

  constructor(
    private readonly operator: AnyOperator,
    private readonly parsed: ParsedOperator,
  ) {
    this.#optional = parsed.inputs.filter(({ optional }) => optional).map(({ name }) => name);
  }

  /** The name of the kernel for the current backend and these inputs. */
  kernelName(inputs: Readonly<Record<string, unknown>>): string {
    const backendName = getBackend();
    let names = this.#names.get(backendName);
    if (names === undefined) this.#names.set(backendName, (names = []));
    let set = 0;
    for (const name of this.#optional) set = 2 * set + Number(inputs[name] !== undefined);
    return (names[set] ??= registerVariant(this.operator, this.parsed, backendName, Object.keys(inputs)));
  }
}

function registerVariant(operator: AnyOperator, parsed: ParsedOperator, backendName: string, present: readonly string[]): string {
  const optional = parsed.inputs.filter((input) => input.optional && present.includes(input.name)).map((input) => input.name);
  // Prefixed, for an operator may be called as a kernel of tfjs is.
  const kernelName = [`mixfold/${operator.spec.name}`, ...optional].join('+');
  if (getKernel(kernelName, backendName) == null) {
    registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, attrs, backend }) => {
        const { attributes, plan, forcedForm } = (attrs as unknown as TapedAttributes).call;
        return runForm(
          operator,
          parsed,
          backendName,
          forcedForm,
          inputs as Record<string, TensorInfo>,
          attributes,
          plan,
          backend,
        );
      },
    });
  }
  if (operator.spec.backward !== undefined && getGradient(kernelName) == null) {
    registerBackward(kernelName, operator.spec.backward, operator.spec.separateGradients === true, parsed, present);
  }
  return kernelName;
}

function runForm(
  operator: AnyOperator,
  parsed: ParsedOperator,
  backendName: string,
  forcedForm: ImplementationForm | undefined,
  inputs: Readonly<Record<string, TensorInfo>>,
  attributes: Attributes,
  { sizes, groups, outputShapes, outputNames, isEmpty }: CallPlan,
  backend: unknown,
): TensorInfo[] {
  const call: KernelCall = { inputs, attributes, sizes, groups, outputShapes, backend };
  const kernel = fusedKernel(operator, backendName, forcedForm, call);
  if (isEmpty) return outputNames.map((name) => filled(outputShapes[name]!, operator.spec.emptyValue ?? 0));
  if (typeof kernel !== 'string') {
    const outputs = kernel.run(call);
    return outputNames.map((name) => outputs[name]!);
  }
  return tidy(() => {
    const outputs = operator.spec.compose(inputs as Record<string, Tensor>, attributes, call);
    const taken = new Set(Object.values(inputs));
    return outputNames.map((name) => {
      const [made, shape] = [outputs[name], outputShapes[name]!];
      if (!made || !util.arraysEqual(made.shape, shape)) {
        throw new Error(`${parsed.functionName}: composed ${name} has shape [${made?.shape}], declared is [${shape}]`);
      }
      // An output is a tensor of its own, so that disposing it leaves the inputs and the other outputs alone.
      const own = taken.has(made) ? clone(made) : made;
      taken.add(own);
      return own;
    });
  });
}

/** From values, for a shader need not keep infinities. */
function filled(shape: number[], value: number): Tensor {
  return value === 0 ? zeros(shape) : tensor(new Float32Array(util.sizeFromShape(shape)).fill(value), shape);
}

function registerBackward(
  kernelName: string,
  backward: AnyOperator,
  areSeparate: boolean,
  parsed: ParsedOperator,
  present: readonly string[],
): void {
  const needed = new Set(Object.keys(backward.spec.inputs).map((name) => name.replace(/\?$/, '')));
  const inputsToSave = present.filter((name) => needed.has(name));
  const outputs = parsed.outputs.filter(({ name, optional }) => !optional || present.includes(inputOf(name)));
  const made = [...outputs, ...parsed.saved].map((output) => output.name);
  const outputsToSave = made.map((name) => needed.has(name));
  const savedNames = [...inputsToSave, ...made.filter((name) => needed.has(name))];
  const gradients = new Set(Object.keys(backward.spec.outputs).map((name) => name.replace(/\?$/, '')));

  const gradFunc: GradFunc = (received, saved, attrs) => {
    if (engine().state.gradientDepth > 0) {
      throw new Error(`${parsed.functionName}: second-order gradients are not supported`);
    }
    const { attributes, plan, forcedForm } = (attrs as unknown as TapedAttributes).call;
    const dys = Array.isArray(received) ? received : [received];
    const inputs: Record<string, Tensor> = {};
    savedNames.forEach((name, i) => {
      inputs[name] = (saved as Tensor[])[i]!;
    });
    outputs.forEach(({ name }, i) => {
      if (needed.has(gradientName(name))) inputs[gradientName(name)] = dys[i]!;
    });
    const kept = Object.keys(backward.spec.attributes ?? {});
    const backwardAttributes = Object.fromEntries(kept.map((name) => [name, attributes[name]]));
    const compute = (only?: readonly string[]): Record<string, Tensor> => {
      const shared = registry();
      const before = shared.forcedForm;
      shared.forcedForm = forcedForm;
      try {
        return backward.run(inputs, backwardAttributes, only) as Record<string, Tensor>;
      } finally {
        shared.forcedForm = before;
      }
    };
    // tfjs runs each thunk below in a tidy of its own, which would dispose what the others share; so gradients that share work are made before.
    const shared = areSeparate ? {} : compute();
    const thunks: Record<string, () => Tensor> = {};
    for (const { name, axes } of parsed.inputs) {
      if (!present.includes(name)) continue;
      const gradient = gradientName(name);
      if (!gradients.has(gradient)) thunks[name] = () => zeros(shapeOfAxes(axes, plan));
      else thunks[name] = () => shared[gradient] ?? compute([gradient])[gradient]!;
    }
    return thunks;
  };
  registerGradient({ kernelName, inputsToSave, outputsToSave, gradFunc });
}
