import type { TrainState } from '../checkpoint/checkpoint-state';

/** What happens in a training run, in order. Losses are in nats per byte. */
export type TrainEvent =
  | { event: 'start'; step: number; steps: number; weights: number }
  | StepEvent
  | { event: 'evaluate'; step: number; loss: number; bitsPerByte: number; bytes: number }
  | { event: 'checkpoint'; step: number; directory: string }
  | EndEvent;

/** One step was made; the loss is that of its batch, before the update. */
export interface StepEvent {
  event: 'step';
  step: number;
  steps: number;
  loss: number;
  bitsPerByte: number;
  rate: number;
  gradientNorm: number;
  tokensPerSecond: number;
  secondsLeft: number;
}

/** The run is over, or was stopped. The state belongs to the receiver, who disposes its tensors. */
export interface EndEvent {
  event: 'end';
  step: number;
  /** Whether a signal stopped it before its last step. */
  stopped: boolean;
  seconds: number;
  state: TrainState;
}
