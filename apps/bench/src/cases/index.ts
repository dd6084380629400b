import type { BenchCase } from '../bench-case';
import { passesOf } from '../operator-case';
import { operatorBench } from '../operator-contest';
import { operatorCases } from '../operators/index';
import { aftConvMemoryCase } from './aft-conv-memory';
import { aftFullCase } from './aft-full';
import { aftFullFallbackCase } from './aft-full-fallback';
import { aftFullMemoryCase } from './aft-full-memory';
import { aftLocalCase, aftLocalStepCase, aftLocalStockCase } from './aft-local';
import { aftLocalMemoryCase } from './aft-local-memory';
import { aftSimpleMemoryCase } from './aft-simple-memory';
import { attentionCase } from './attention';
import { attentionMemoryCase } from './attention-memory';
import { einsumCase } from './einsum';
import { gemmCase } from './gemm';
import { gemmThreadsCase } from './gemm-threads';
import { graphConvolutionBoundsCase } from './graph-convolution';
import { mssaBoundsCase } from './mssa';
import { mssaMemoryCase } from './mssa-memory';
import { primitivesCase } from './primitives';
import { shiftConvolutionCase } from './shift-convolution';
import { tfjsKernelsCase } from './tfjs-kernels';
import { trainStepCase } from './train-step';
import { trainStepTorchCase } from './train-step-torch';

/** Every case, in the order of the report. */
export const cases: readonly BenchCase[] = [
  gemmCase('simd128'),
  gemmCase('relaxed'),
  gemmThreadsCase,
  einsumCase,
  tfjsKernelsCase('simd128'),
  tfjsKernelsCase('relaxed'),
  primitivesCase('simd128'),
  primitivesCase('relaxed'),
  trainStepCase,
  trainStepTorchCase,
  aftSimpleMemoryCase,
  aftFullCase,
  attentionCase,
  mssaBoundsCase,
  aftLocalCase,
  aftLocalStepCase,
  aftLocalMemoryCase,
  aftLocalStockCase,
  shiftConvolutionCase,
  graphConvolutionBoundsCase,
  ...operatorCases.flatMap((operatorCase) => passesOf(operatorCase).map((pass) => operatorBench(operatorCase, pass))),
  aftConvMemoryCase,
  aftFullFallbackCase,
  aftFullMemoryCase,
  attentionMemoryCase,
  mssaMemoryCase,
];
