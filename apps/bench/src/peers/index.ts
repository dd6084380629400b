import { jaxJs } from './jax';
import { onnxruntimeNode, onnxruntimeWeb } from './onnx-runtime';
import type { Peer } from './peer';
import { pyTorch } from './torch-peer';

/** Other libraries, in the order of the report. */
export const peers: readonly Peer[] = [onnxruntimeNode, onnxruntimeWeb, jaxJs, pyTorch];
