// One row at a time, for the tests and benches of each kernel alone. In builds of
// their own (tests/kernels/), beside what the host sees; not in what is shipped.
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
