import { describe, expect, test } from 'vitest';
import { faultsOf, importsOf } from './check-imports.mjs';

const aft = (file, source) => faultsOf('aft', file, source, ['@mixfold/tensor-ops', '@tensorflow/tfjs-core']);

describe('the import check', () => {
  test('reads every kind of import and no comment', () => {
    const source = `import a from 'a';\nimport type { B } from "b";\nexport {\n  c,\n  d,\n} from './c';\nimport 'side';
      const x = await import('e');\n// import no from 'comment';\n/** @example import { no } from 'documentation'; */\nconst text = "first; import 'something'";`;
    expect(importsOf(source)).toEqual([
      { path: 'a', kind: 'static' },
      { path: 'b', kind: 'type' },
      { path: './c', kind: 'static' },
      { path: 'side', kind: 'static' },
      { path: 'e', kind: 'dynamic' },
    ]);
  });

  test('lets imports point down', () => {
    expect(
      aft('src/a.ts', "import { defineOperator } from '@mixfold/tensor-ops';\nimport * as tf from '@tensorflow/tfjs-core';"),
    ).toEqual([]);
    expect(aft('src/x/a.ts', "import { y } from '../y';")).toEqual([]);
    expect(aft('assembly/a.kernel.ts', "import { exp } from '../../tensor-ops/assembly/math';")).toEqual([]);
    expect(aft('src/a.test.ts', "import { test } from 'vitest';\nimport { r } from './reference';")).toEqual([]);
    expect(aft('src/x/reference.ts', "import type { ShapedValues } from '@mixfold/testing';")).toEqual([]);
    expect(faultsOf('train', 'src/a.ts', "import '@mixfold/aft';", ['@mixfold/aft'])).toEqual([]);
  });

  test.each([
    ['src/a.ts', "import '@mixfold/train';", 'which is not below aft'],
    ['src/a.ts', "import '@mixfold/testing';", 'which is not below aft'],
    ['src/a.ts', "import * as tf from '@tensorflow/tfjs';", 'the union'],
    ['src/a.ts', "import '@tensorflow/tfjs-backend-wasm';", 'costs no backend'],
    ['src/a.ts', "import { x } from '../../train/src/x';", 'outside its package'],
    ['src/a.ts', "import { x } from './reference';", 'only tests read a reference'],
    ['src/x/reference.ts', "import { add } from '@tensorflow/tfjs-core';", 'plain loops'],
    ['src/a.ts', "import { z } from 'zod';", 'does not declare'],
    ['assembly/a.kernel.ts', "import { exp } from '../../train/assembly/math';", 'outside its package'],
  ])('%s may not say %s', (file, source, fault) => {
    expect(aft(file, source)).toEqual([expect.stringContaining(fault)]);
  });
});
