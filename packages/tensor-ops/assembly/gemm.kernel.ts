export { gemm, gemmMany, gemmScratchBytes } from './gemm';
