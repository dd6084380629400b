import type { BenchCase } from '../bench-case';
import { aftFullCase } from './aft-full';
import { aftSimpleCase } from './aft-simple';
import { aftSimpleMemoryCase } from './aft-simple-memory';
import { einsumCase } from './einsum';
import { gemmCase } from './gemm';
import { gemmThreadsCase } from './gemm-threads';
import { trainStepCase } from './train-step';

/** Every case, in the order of the report. */
export const cases: readonly BenchCase[] = [
  gemmCase('simd128'),
  gemmCase('relaxed'),
  gemmThreadsCase,
  einsumCase,
  trainStepCase,
  aftSimpleCase(false),
  aftSimpleCase(true),
  aftSimpleMemoryCase,
  aftFullCase,
];
