/** What a call is about: sizes and options. Targets are the last of the sources. */
export namespace call {
  export let target: i32 = 0;
  export let source: i32 = 0;
  /** Sources before the first target. */
  export let past: i32 = 0;
  export let dim: i32 = 0;
  export let heads: i32 = 0;
  export let headDim: i32 = 0;
  /** `headDim` up to a multiple of 8. */
  export let channels: i32 = 0;
  export let causal: bool = false;
  export let maskSelf: bool = false;
  export let scale: f32 = 1;
  /** What normalised queries and keys are multiplied by; 0 where they are not normalised. */
  export let gain: usize = 0;
}

export function setCall(
  target: i32, past: i32, dim: i32, heads: i32, headDim: i32, causal: bool, maskSelf: bool, scale: f32, gain: usize,
): void {
  call.target = target;
  call.source = past + target;
  call.past = past;
  call.dim = dim;
  call.heads = heads;
  call.headDim = headDim;
  call.channels = (headDim + 7) & -8;
  call.causal = causal;
  call.maskSelf = maskSelf;
  call.scale = scale;
  call.gain = gain;
}
