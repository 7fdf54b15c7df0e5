// What the caller asked for, the same for every row of a call. Set by
// `configure`, read by the row functions.

/** ε, 0 for none. */
export let smoothing: f64 = 0;
/** z, 0 for none. */
export let zLoss: f64 = 0;
/** The factor on the logits, 1 for none. */
export let logitScale: f64 = 1;
/** The cap, 0 for none. */
export let softcap: f64 = 0;
/** Address of f64[V] class weights, 0 for none. */
export let classWeights: usize = 0;
/** C = Σ_j c_j, V without class weights. */
export let classTotal: f64 = 0;
/** Address of the scratch row: f64[V + 2], for -inf behind an odd V, in whole vectors. */
export let scratch: usize = 0;
/** Whether entropy and argmax are wanted. */
export let metrics: bool = false;
/** Whether a row needs more than the float32 pass can do. */
export let general: bool = false;

/** Sets everything; the host calls it before a call whose options differ from the last. */
export function configure(
  smoothingValue: f64,
  zLossValue: f64,
  logitScaleValue: f64,
  softcapValue: f64,
  classWeightsAt: usize,
  classTotalValue: f64,
  scratchAt: usize,
  metricsWanted: i32,
): void {
  smoothing = smoothingValue;
  zLoss = zLossValue;
  logitScale = logitScaleValue;
  softcap = softcapValue;
  classWeights = classWeightsAt;
  classTotal = classTotalValue;
  scratch = scratchAt;
  metrics = metricsWanted != 0;
  general = metrics || softcapValue != 0 || logitScaleValue != 1 ||
    smoothingValue != 0;
}

/** c_k. */
// @ts-ignore: decorator
@inline
export function class_weight(k: usize): f64 {
  return classWeights == 0 ? 1 : load<f64>(classWeights + (k << 3));
}
