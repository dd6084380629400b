import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What an operator package may cost a page, gzipped and without tfjs and its siblings: as it is, and with its kernels stubbed. */
const budgets = { withKernels: '12 kB', withoutKernels: '4 kB' };

/** The ground floor and the training package are not operator packages. */
const operatorPackages = readdirSync('packages').filter(
  (name) => !['tensor-ops', 'train'].includes(name) && existsSync(`packages/${name}/src/index.ts`),
);

/** Leaves out WASM code and WGSL text: generated modules lose their strings, WebGPU modules keep the names that they export. */
const stubKernels = {
  name: 'stub-kernels',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]generated[\\/]/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/'[^']+'/g, "''"),
      loader: 'ts',
    }));
    onLoad({ filter: /[\\/]webgpu[^\\/]*\.ts$/ }, ({ path }) => {
      const names = [...readFileSync(path, 'utf8').matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name);
      return { contents: names.map((name) => `export const ${name} = undefined;`).join('\n'), loader: 'ts' };
    });
  },
};

const entry = (name, limit, plugins) => ({
  name: `@mixfold/${name}${plugins.length > 0 ? ' without kernels' : ''}`,
  path: `packages/${name}/src/index.ts`,
  import: '*',
  gzip: true,
  limit,
  ignore: ['@tensorflow/*', '@mixfold/*'],
  modifyEsbuildConfig: (config) => ({ ...config, plugins: [...(config.plugins ?? []), ...plugins] }),
});

export default operatorPackages.flatMap((name) => [
  entry(name, budgets.withKernels, []),
  entry(name, budgets.withoutKernels, [stubKernels]),
]);
