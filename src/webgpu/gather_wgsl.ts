/**
 * The label's logit, by clamp-then-mask: legal for every label, so that it can
 * be read before anything is asked. The derivation is in src/reference/gather.ts.
 *
 * @module
 */

/** `clampLabel`. */
export const CLAMP_WGSL: string = /* wgsl */ `
fn clampLabel(label: i32, vocab: u32) -> u32 {
  // [GATHER 1] y' = max(0, min(y, V - 1))
  return u32(max(0, min(label, i32(vocab) - 1)));
}
`;

/** `gather`. */
export const GATHER_WGSL: string = /* wgsl */ `
// the logit of the label of a row at base, 0 where the row is not scored
fn gather(base: u32, job: Job) -> f32 {
  // [GATHER 1] y' = max(0, min(y, V - 1))
  let column = min(job.label, P.vocab - 1u);
  // [GATHER 2] out = active ? u[y'] : 0
  return select(0.0, load(base + column), (job.flags & ACTIVE) != 0u);
}
`;
