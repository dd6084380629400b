import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';

/** What a script of a test project left behind. */
export interface ScriptResult {
  /** What it printed on its last line, as JSON. */
  value: unknown;
  stderr: string;
  status: number | null;
}

/** A package that cannot be installed here: its main file, and whether it has a native addon (an empty file). */
export interface FakePackage {
  main: string;
  addon?: boolean;
}

/** A user's project in a temporary folder: its own `node_modules`, and `mixfold.mjs`, the Node entry of this package. */
export interface NodeProject {
  /** Runs an ES module in a process of its own; one that does not end by itself is killed, and its status is null. */
  run(script: string, env?: Record<string, string | undefined>): ScriptResult;
  remove(): void;
}

const modules = fileURLToPath(new URL('../../../../node_modules', import.meta.url));
const entry = fileURLToPath(new URL('../node.ts', import.meta.url));

/**
 * Makes a project in which exactly these packages are installed beside tfjs-core.
 *
 * @param installed - Packages of this workspace, linked.
 * @param fakes - Packages that stand in for others, by name.
 */
export async function nodeProject(installed: string[], fakes: Record<string, FakePackage> = {}): Promise<NodeProject> {
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'mixfold-devices-'));
  for (const name of ['@tensorflow/tfjs-core', ...installed]) {
    const link = join(folder, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(realpathSync(join(modules, name)), link, 'junction');
  }
  for (const [name, { main, addon }] of Object.entries(fakes)) {
    const home = join(folder, 'node_modules', name);
    mkdirSync(join(home, 'lib', 'napi-v8'), { recursive: true });
    writeFileSync(join(home, 'package.json'), JSON.stringify({ name, version: '4.22.0', main: 'index.js' }));
    writeFileSync(join(home, 'index.js'), main);
    if (addon) writeFileSync(join(home, 'lib', 'napi-v8', 'tfjs_binding.node'), '');
  }
  await build({
    entry: { mixfold: entry },
    format: ['esm'],
    outDir: folder,
    outExtension: () => ({ js: '.mjs' }),
    external: [/^@tensorflow\//],
    config: false,
    clean: false,
    silent: true,
  });
  return {
    run(script, env = {}) {
      writeFileSync(join(folder, 'script.mjs'), script);
      const child = spawnSync(process.execPath, ['script.mjs'], {
        cwd: folder,
        // pnpm's shims set NODE_PATH to every package of the workspace.
        env: { ...process.env, NODE_PATH: undefined, ...env },
        encoding: 'utf8',
        timeout: 60_000,
      });
      const last = child.stdout.trim().split('\n').at(-1) || 'null';
      return { value: child.status === 0 ? JSON.parse(last) : null, stderr: child.stderr, status: child.status };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
