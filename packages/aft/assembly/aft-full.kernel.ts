export { backward, backwardBytes } from './full-backward';
export { forward, forwardBytes } from './full-forward';
export { tiledElements, tiledExponents } from './full-tiles';
