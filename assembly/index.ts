// What the host sees: mask, gather and score, their options, an
// exponential, and where the tables are. No import, no allocation; between calls
// only the options and the last row's results stay.
export { exp_f64, fuses, relaxed } from "./exp";
export { mask } from "./mask";
export { gather } from "./gather";
export { configure } from "./options";
export { score } from "./rows";
export { LABELS } from "./memory";

/** The first byte the host may use. */
export function heap_base(): usize {
  return __heap_base;
}
