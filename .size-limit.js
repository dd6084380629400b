import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** What one operator may cost a page, gzipped and without tfjs and its siblings: as it is, and with its kernels stubbed.
 * Kernels are forward and backward, in two WASM builds and WGSL; AFT-local holds three operators, one per kind of bias. */
const budgets = { withKernels: '21 kB', withoutKernels: '7 kB' };

/** The ground floor and the training package are not operator packages. */
const operatorPackages = readdirSync('packages').filter(
  (name) => !['tensor-ops', 'train'].includes(name) && existsSync(`packages/${name}/src/index.ts`),
);

/** The public functions of a package that have a folder of their own: `aft-full/aft-full.ts` is `aftFull`. */
function operatorsOf(name) {
  const source = readFileSync(`packages/${name}/src/index.ts`, 'utf8');
  return readdirSync(`packages/${name}/src`)
    .filter((folder) => existsSync(`packages/${name}/src/${folder}/${folder}.ts`))
    .map((folder) => folder.replace(/-(\w)/g, (_, letter) => letter.toUpperCase()))
    .filter((operator) => new RegExp(`\\b${operator}\\b(?!/)`).test(source.replace(/'[^']*'/g, '')));
}

/** Leaves out WASM code and WGSL text: generated modules lose their strings, WebGPU modules keep the names that they export. */
const stubKernels = {
  name: 'stub-kernels',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]src[\\/]generated[\\/]/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/'[^']+'/g, "''"),
      loader: 'ts',
    }));
    onLoad({ filter: /[\\/]webgpu[^\\/]*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const declared = [...text.matchAll(/^export (?:const|function) (\w+)/gm)].map(([, name]) => name);
      const passedOn = [...text.matchAll(/^export \{([^}]*)\} from/gm)].flatMap(([, list]) => list.match(/\w+/g));
      const names = [...declared, ...passedOn];
      return { contents: names.map((name) => `export const ${name} = undefined;`).join('\n'), loader: 'ts' };
    });
  },
};

const entry = (name, operator, limit, plugins) => ({
  name: `${operator} of @mixfold/${name}${plugins.length > 0 ? ' without kernels' : ''}`,
  path: `packages/${name}/src/index.ts`,
  import: `{ ${operator} }`,
  gzip: true,
  limit,
  ignore: ['@tensorflow/*', '@mixfold/*'],
  modifyEsbuildConfig: (config) => ({ ...config, plugins: [...(config.plugins ?? []), ...plugins] }),
});

export default operatorPackages.flatMap((name) =>
  operatorsOf(name).flatMap((operator) => [
    entry(name, operator, budgets.withKernels, []),
    entry(name, operator, budgets.withoutKernels, [stubKernels]),
  ]),
);
