import { cast, engine, type NamedAttrMap, type NamedTensorMap, type Tensor } from '@tensorflow/tfjs-core';
import type { AxisContract, TensorsOf } from '../axes';
import { checkOptions } from '../check-options';
import { checkTensor } from '../check-tensor';
import { OptionError } from '../errors';
import { CallPlans } from './call-plan';
import { KernelVariants, type TapedAttributes } from './kernel-variant';
import { type ParsedOperator, parseOperator } from './parsed-operator';
import { registry } from './registry';
import type { AnyOperator, Attributes, Operator, OperatorSpec } from './types';

/** The element types that an input of each kind may have. */
const elementTypes = { float32: ['float32'], int32: ['int32'], mask: ['bool', 'int32', 'float32'] } as const;

/**
 * Declares an operator: its axes, options, composed form, fused kernels and gradient. Everything else follows from the declaration:
 * shape and type checks, errors, kernel registration per backend, the tape, the answer for empty tensors.
 *
 * @param spec - The declaration.
 * @returns The operator; `run` calls it.
 * @remarks First-order gradients only. A call whose inputs or outputs have no elements gives zeros (or `emptyValue`), and its gradients are zeros. Beside its kernel a
 *   call costs about a microsecond once its shapes have been seen.
 */
export function defineOperator<
  const Inputs extends AxisContract,
  const Outputs extends AxisContract,
  // biome-ignore lint/complexity/noBannedTypes: an operator without attributes
  Options extends Attributes = {},
>(spec: OperatorSpec<Inputs, Options, Outputs>): Operator<Inputs, Options, Outputs> {
  const parsed = parseOperator(spec as AnyOperator['spec']);
  const operator: Operator<Inputs, Options, Outputs> = {
    spec,
    run: (given, attributes, only) => {
      return run(given as Record<string, unknown>, attributes, only as readonly string[]) as TensorsOf<Outputs>;
    },
  };
  const run = operatorCall(operator as AnyOperator, parsed);
  registry().operators.set(spec.name, operator as AnyOperator);
  return operator;
}

type Call = (
  given: Readonly<Record<string, unknown>>,
  attributes: object | undefined,
  only: readonly string[] | undefined,
) => Record<string, Tensor>;

/** A call of an operator; what it can know before stands outside. */
function operatorCall(operator: AnyOperator, parsed: ParsedOperator): Call {
  const { functionName } = parsed;
  const { spec } = operator;
  const arguments_ = parsed.inputs.map(({ name, optional }) => ({ name, optional, kind: spec.dtypes?.[name] ?? 'float32' }));
  const known = new Set(arguments_.map(({ name }) => name));
  const masks = arguments_.filter(({ kind }) => kind === 'mask').map(({ name }) => name);
  const plans = new CallPlans(operator, parsed);
  const variants = new KernelVariants(operator, parsed);

  return (given, attributes, only) => {
    for (const name of Object.keys(given)) {
      if (!known.has(name)) throw new OptionError(`${functionName}: unknown input '${name}'`);
    }
    const inputs: Record<string, Tensor> = {};
    for (const { name, optional, kind } of arguments_) {
      const value = given[name];
      if (optional && value === undefined) continue;
      checkTensor(functionName, name, value, elementTypes[kind as keyof typeof elementTypes]);
      inputs[name] = value;
    }
    checkOptions(functionName, attributes, parsed.rules);
    const merged: Record<string, Attributes[string]> = { ...spec.attributes };
    for (const name in attributes) {
      const value = (attributes as Attributes)[name];
      if (value !== undefined) merged[name] = value;
    }
    const state = engine().state;
    const taping = state.gradientDepth > 0 && state.kernelDepth === 0 && spec.backward !== undefined;
    const plan = plans.of(inputs, merged, taping, only);
    const attrs: TapedAttributes = { call: { attributes: merged, plan, forcedForm: registry().forcedForm } };
    const kernelName = variants.kernelName(inputs);
    const casts: Tensor[] = [];
    for (const name of masks) {
      const mask = inputs[name];
      if (mask !== undefined && mask.dtype !== 'float32') casts.push((inputs[name] = cast(mask, 'float32')));
    }
    let made: Tensor[];
    try {
      made = engine().runKernel(kernelName, inputs as NamedTensorMap, attrs as unknown as NamedAttrMap) as unknown as Tensor[];
    } finally {
      for (const mask of casts) mask.dispose();
    }
    const { outputNames } = plan;
    const outputs: Record<string, Tensor> = {};
    for (let i = 0; i < outputNames.length; i++) outputs[outputNames[i]!] = made[i]!;
    if (taping && parsed.saved.length > 0) withdrawSaved(parsed, kernelName, outputNames, outputs);
    return outputs;
  };
}

/**
 * Takes the tensors that only the backward operator sees out of the outputs, and off the tape. The tape has cloned what it saves; its node must not
 * list them as outputs, or it would fill a zero gradient for each.
 */
function withdrawSaved(
  { saved }: ParsedOperator,
  kernelName: string,
  outputNames: readonly string[],
  outputs: Record<string, Tensor>,
): void {
  const isSaved = (name: string) => saved.some((tensor) => tensor.name === name);
  const node = engine().state.activeTape.at(-1);
  if (node?.kernelName === kernelName) node.outputs = node.outputs.filter((_, i) => !isSaved(outputNames[i]!));
  for (const { name } of saved) {
    outputs[name]!.dispose();
    delete outputs[name];
  }
}
