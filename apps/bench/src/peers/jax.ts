import type * as JaxModule from '@jax-js/jax';
import type { Peer } from './peer';

export type Jax = typeof JaxModule;
export type JaxArray = JaxModule.Array;

let started: Promise<Jax> | undefined;

/** jax-js on its WASM device, compiled by `jit`. */
export const jaxJs: Peer = {
  name: 'jax-js',
  async prepare({ operatorCase, inputs, dOutput, sizes }, pass) {
    const call = operatorCase.peers?.jax;
    if (!call) throw new Error('the case has no such call');
    const jax = await (started ??= start());
    const names = Object.keys(inputs);
    const arrays = names.map((name) => arrayOf(jax, inputs[name]!.data, inputs[name]!.shape));
    const trained = names.filter((name) => inputs[name]!.trained);
    const untrained = names.filter((name) => !inputs[name]!.trained);

    const forward = (...args: JaxArray[]) => call(jax, Object.fromEntries(names.map((name, i) => [name, args[i]!])), sizes);
    // Ids and masks are no arguments of what is differentiated.
    const both = (...args: JaxArray[]) => {
      const given = Object.fromEntries(names.map((name, i) => [name, args[i]!]));
      const traced = (...own: JaxArray[]) => {
        const merged = {
          ...Object.fromEntries(untrained.map((name) => [name, given[name]!.ref])),
          ...Object.fromEntries(trained.map((name, i) => [name, own[i]!])),
        };
        return call(jax, merged, sizes);
      };
      const [output, back] = jax.vjp(traced, trained.map((name) => given[name]!) as never) as unknown as [
        JaxArray,
        (dy: JaxArray) => JaxArray[],
      ];
      const gradients = back(args[names.length]!);
      for (const name of untrained) given[name]!.dispose();
      return [output, ...gradients];
    };
    const shape = forward(...arrays.map((array) => array.ref)).shape;
    const cotangent = arrayOf(jax, dOutput, shape);
    const compiled = pass === 'forward' ? jax.jit((...args: JaxArray[]) => [forward(...args)]) : jax.jit(both);
    const once = () => {
      const given = [...arrays, ...(pass === 'both' ? [cotangent] : [])].map((array) => array.ref);
      return (compiled as unknown as (...args: JaxArray[]) => JaxArray[])(...given);
    };
    return {
      form: '0.1.25, wasm, jit',
      async results() {
        const [output, ...gradients] = await Promise.all(once().map(async (array) => (await array.data()) as Float32Array));
        return { output: output!, gradients: Object.fromEntries(trained.map((name, i) => [name, gradients[i]!])) };
      },
      async run() {
        const made = once();
        await jax.blockUntilReady(made);
        for (const array of made) array.dispose();
      },
      dispose() {
        for (const array of [...arrays, cotangent]) array.dispose();
        compiled.dispose();
      },
    };
  },
};

async function start(): Promise<Jax> {
  const jax = await import('@jax-js/jax');
  await jax.init('wasm');
  jax.defaultDevice('wasm');
  return jax;
}

function arrayOf(jax: Jax, data: Float32Array | Int32Array, shape: readonly number[]): JaxArray {
  const made = jax.numpy.array(data as Float32Array<ArrayBuffer>);
  return jax.numpy.reshape(made, [...shape]);
}
