export { type Boundary } from './boundary';
export { causalOffsets, offsetFromKeyMinusQuery, symmetricOffsets } from './offsets';
export { type ShiftOptions, shift, shiftBackwardOperator, shiftOperator } from './shift/shift';
