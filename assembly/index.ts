// What the host sees: mask, gather, score and differentiate, their options, an
// exponential, and where the tables are. No import, no allocation; between calls
// only the options and the last row's results stay.
export { exp_f64, fuses, relaxed } from "./exp";
export { mask } from "./mask";
export { gather } from "./gather";
export { configure } from "./options";
export { differentiate, score } from "./rows";
export { LABELS } from "./memory";

// One row at a time, for the tests of each kernel alone.
export { row_exponentials, row_sum, set_row } from "./log_sum_exp";
export { settle } from "./normalize";

import { others, reference } from "./log_sum_exp";
import { log_sum_exp, mass, nll, total } from "./normalize";

/** What the last `row_sum`, `row_exponentials` or `settle` found, by its place in this list. */
export function row_value(which: i32): f64 {
  if (which == 0) return reference;
  if (which == 1) return others;
  if (which == 2) return nll;
  if (which == 3) return log_sum_exp;
  if (which == 4) return mass;
  return total;
}

/** The first byte the host may use. */
export function heap_base(): usize {
  return __heap_base;
}
