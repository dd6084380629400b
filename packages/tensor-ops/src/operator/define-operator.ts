import { cast, engine, type NamedAttrMap, type NamedTensorMap, type Tensor } from '@tensorflow/tfjs-core';
import { type AxisContract, type BoundAxes, parseContract, type TensorsOf } from '../axes';
import { bindContract } from '../bind-shapes';
import { checkOptions, type OptionRule } from '../check-options';
import { checkTensor } from '../check-tensor';
import { OptionError } from '../errors';
import { registerKernelVariant, type TapedAttributes } from './kernel-variant';
import { lowerFirst, outputShapesOf, type ParsedOperator, withNamedShapes } from './parsed-operator';
import { registry } from './registry';
import type { AnyOperator, Attributes, Operator, OperatorSpec } from './types';

/** The element types that an input of each kind may have. */
const elementTypes = { float32: ['float32'], int32: ['int32'], mask: ['bool', 'int32', 'float32'] } as const;

/** Rules of the attributes: those declared, else what the default's type says. */
function attributeRules({ attributes = {}, attributeRules: declared }: AnyOperator['spec']): Record<string, OptionRule> {
  const byType: Record<string, OptionRule> = { boolean: 'boolean', number: 'finite', string: 'string' };
  return Object.fromEntries(Object.entries(attributes).map(([name, value]) => [name, declared?.[name] ?? byType[typeof value]!]));
}

/**
 * Declares an operator: its axes, options, composed form, fused kernels and gradient. Everything else follows from the declaration:
 * shape and type checks, errors, kernel registration per backend, the tape, the answer for empty tensors.
 *
 * @param spec - The declaration.
 * @returns The operator; `run` calls it.
 * @remarks First-order gradients only. A call whose inputs or outputs have no elements gives zeros, and so do its gradients.
 */
export function defineOperator<
  const Inputs extends AxisContract,
  const Outputs extends AxisContract,
  // biome-ignore lint/complexity/noBannedTypes: an operator without attributes
  Options extends Attributes = {},
>(spec: OperatorSpec<Inputs, Options, Outputs>): Operator<Inputs, Options, Outputs> {
  const parsed: ParsedOperator = {
    functionName: spec.publicName ?? lowerFirst(spec.name),
    inputs: parseContract(spec.inputs),
    outputs: parseContract(spec.outputs),
    saved: parseContract(spec.saved ?? {}),
  };
  const rules = attributeRules(spec as AnyOperator['spec']);
  const known = new Set(parsed.inputs.map((input) => input.name));

  const operator: Operator<Inputs, Options, Outputs> = {
    spec,
    run(given, attributes) {
      const values = given as Record<string, unknown>;
      const inputs: Record<string, Tensor> = {};
      for (const name of Object.keys(values)) {
        if (!known.has(name)) throw new OptionError(`${parsed.functionName}: unknown input '${name}'`);
      }
      for (const { name, optional } of parsed.inputs) {
        const value = values[name];
        if (optional && value === undefined) continue;
        checkTensor(parsed.functionName, name, value, elementTypes[spec.dtypes?.[name] ?? 'float32']);
        inputs[name] = value;
      }
      const axes = bindContract(parsed.functionName, parsed.inputs, inputs);
      checkOptions(parsed.functionName, attributes, rules);
      const chosen = Object.entries(attributes ?? {}).filter(([, value]) => value !== undefined);
      const merged: Attributes = { ...spec.attributes, ...Object.fromEntries(chosen) };
      const bound = withNamedShapes(operator as AnyOperator, axes, inputs, merged);
      return runOnTape(operator as AnyOperator, parsed, inputs, merged, bound) as TensorsOf<Outputs>;
    },
  };
  registry().operators.set(spec.name, operator as AnyOperator);
  return operator;
}

function runOnTape(
  operator: AnyOperator,
  parsed: ParsedOperator,
  inputs: Record<string, Tensor>,
  attributes: Attributes,
  bound: BoundAxes,
): Record<string, Tensor> {
  const state = engine().state;
  const taping = state.gradientDepth > 0 && state.kernelDepth === 0 && operator.spec.backward !== undefined;
  const outputShapes = outputShapesOf(parsed, bound, (name) => inputs[name] !== undefined, taping);
  const attrs: TapedAttributes = { call: { attributes, bound, outputShapes, forcedForm: registry().forcedForm } };
  const kernelName = registerKernelVariant(operator, parsed, Object.keys(inputs));

  const casts: Tensor[] = [];
  for (const [name, dtype] of Object.entries(operator.spec.dtypes ?? {})) {
    const mask = inputs[name];
    if (dtype !== 'mask' || mask === undefined || mask.dtype === 'float32') continue;
    casts.push((inputs[name] = cast(mask, 'float32')));
  }
  let made: Tensor[];
  try {
    made = engine().runKernel(kernelName, inputs as NamedTensorMap, attrs as unknown as NamedAttrMap) as unknown as Tensor[];
  } finally {
    for (const mask of casts) mask.dispose();
  }

  const names = Object.keys(outputShapes);
  const outputs = Object.fromEntries(names.map((name, i) => [name, made[i]!]));
  if (!taping || parsed.saved.length === 0) return outputs;
  // The tape has cloned what it saves. Its node must not list the saved tensors as outputs: it would fill a zero gradient for each.
  const isPublic = (name: string) => parsed.outputs.some((output) => output.name === name);
  const node = state.activeTape.at(-1);
  if (node?.kernelName === kernelName) node.outputs = node.outputs.filter((_, i) => isPublic(names[i]!));
  for (const name of names) {
    if (isPublic(name)) continue;
    outputs[name]!.dispose();
    delete outputs[name];
  }
  return outputs;
}
