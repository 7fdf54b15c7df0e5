// What the host sees: three verbs, their options, an exact sum, and where the
// tables are. No import, no allocation, no state but the options of a call.
export { fuses } from "./exp";
export { mask } from "./mask";
export { gather } from "./gather";
export { configure } from "./options";
export { differentiate, score } from "./rows";
export { sum_add, sum_clear } from "./normalize";
export {
  ENTROPY, FACTORS, FLAGS, GATHERED, LABELS, LSE, NLL, PER_TOKEN, TERMS, WEIGHTS,
} from "./memory";

/** The first byte the host may use. */
export function heap_base(): usize {
  return __heap_base;
}
