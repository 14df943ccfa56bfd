/**
 * Finds out whether waiting before a flush pays, by trying it: `adaptive` mode flushes for some epochs
 * without and some with a delay, and keeps the delay only while it acknowledges clearly more records per
 * second. A fixed delay only makes callers wait where their next append depends on the last one; it pays
 * where fdatasync is slow and arrivals come in bursts just behind it. PostgreSQL guards its
 * `commit_delay` for the same reason; here the guard is a measurement.
 *
 * Pure: time comes in with each sample.
 *
 * @module
 */

/** Flushes that are measured together. */
const EPOCH_FLUSHES = 32;
/** Epochs between two trials, doubled while trials fail. */
const REST_EPOCHS_MIN = 8;
const REST_EPOCHS_MAX = 512;
/** How much more a delay must bring to be kept. */
const GAIN_MIN = 1.05;
/** Below this, waiting cannot save anything worth having. */
const SYNC_MS_MIN = 0.5;

interface Epoch {
  flushes: number;
  records: number;
  startMs: number;
}

export interface AdaptiveDelay {
  /** What the next flush waits. */
  delayMs: number;
  readonly maxDelayMs: number;
  epoch: Epoch;
  /** Records per millisecond without and, while it is tried or kept, with the delay. */
  baseline: number;
  isTrial: boolean;
  restEpochs: number;
  rest: number;
  syncMs: number;
}

/** Starts without a delay. */
export function createAdaptiveDelay(maxDelayMs: number): AdaptiveDelay {
  return {
    delayMs: 0,
    maxDelayMs,
    epoch: { flushes: 0, records: 0, startMs: 0 },
    baseline: 0,
    isTrial: false,
    restEpochs: REST_EPOCHS_MIN,
    rest: REST_EPOCHS_MIN,
    syncMs: 0,
  };
}

/**
 * Takes in a finished flush and decides the delay of the next.
 *
 * @param records how many it acknowledged
 * @param syncMs how long its fdatasync took
 * @param nowMs monotonic
 */
export function observeFlush(state: AdaptiveDelay, records: number, syncMs: number, nowMs: number): void {
  const { epoch } = state;
  state.syncMs = state.syncMs === 0 ? syncMs : state.syncMs * 0.9 + syncMs * 0.1;
  if (epoch.flushes === 0) epoch.startMs = nowMs;
  else epoch.records += records;
  epoch.flushes++;
  if (epoch.flushes <= EPOCH_FLUSHES) return;
  const rate = epoch.records / Math.max(nowMs - epoch.startMs, 1e-6);
  state.epoch = { flushes: 0, records: 0, startMs: 0 };
  endEpoch(state, rate);
}

function endEpoch(state: AdaptiveDelay, rate: number): void {
  if (state.isTrial) {
    state.isTrial = false;
    if (rate > state.baseline * GAIN_MIN) {
      state.restEpochs = REST_EPOCHS_MIN;
    } else {
      state.delayMs = 0;
      state.restEpochs = Math.min(state.restEpochs * 2, REST_EPOCHS_MAX);
    }
    state.rest = state.restEpochs;
    return;
  }
  if (--state.rest > 0) {
    if (state.delayMs === 0) state.baseline = rate;
    return;
  }
  state.rest = state.restEpochs;
  if (state.delayMs > 0) {
    // Measure again how it goes without: a delay is kept only as long as it pays.
    state.delayMs = 0;
    state.rest = 2;
    return;
  }
  state.baseline = rate;
  if (state.syncMs < SYNC_MS_MIN) return;
  state.isTrial = true;
  state.delayMs = Math.min(state.maxDelayMs, state.syncMs / 2);
}
