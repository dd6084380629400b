// AFT-local with a bias by table, band or factors, and its gradient.
export { backward, backwardBytes } from './aft-local-backward';
export { forward, forwardBytes } from './aft-local-forward';
export { copyRows } from './slots';
