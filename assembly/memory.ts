// Linear memory, drawn. Everything up to `__heap_base` is fixed when the module
// is compiled; the host owns everything above it (class weights, scratch row,
// ring or workspace), and hands pointers in.
//
//   0 ........ ~1 KB   nothing: a null pointer reads zeros, not our data
//   constants          of exp.ts and transform.ts
//   BACKUP     4 KB    one block of logits, while its exponentials replace it
//   STAGE      2 KB    t and f of a run, in the plain build
//   GROUP      32 B    eight values on their way to the end of a row
//   LABELS     i32[ROWS]   in:  the label of each row, or ignoreIndex
//   WEIGHTS    f64[ROWS]   in:  the token weight of each row
//   FACTORS    f64[ROWS]   in:  the gradient's coefficient of each row
//   GATHERED   f64[ROWS]        the label's logit of each row
//   PER_TOKEN  f64[ROWS]   out
//   LSE        f64[ROWS]   out
//   NLL        f64[ROWS]   out
//   ENTROPY    f64[ROWS]   out
//   FLAGS      i32[ROWS]   out: NON_FINITE | CORRECT
//
// In the builds for threads (parallel.ts) one memory has many of them, so each
// thread has tables of its own, the same in the same order, wherever the host says.
//
// Rows of logits may be read up to 32 bytes past their end (whole vectors; the
// surplus lanes are masked out), so the host keeps SLACK bytes free above them.
// Nothing is ever written past the end of a row.

/** Rows per call: 64 KB of tables. */
export const ROWS: usize = 1024;

/** Elements per block: 4 KB, an eighth of a 32 KB L1 cache. Sums are built block by block, so the block size is part of every result's bits. */
export const BLOCK: usize = 1024;

/** Bytes of logits that are summed, and in the plain build staged, in one run: 2 x 4 lanes of 32. */
export const RUN_BYTES: usize = 1024;

/** Bytes of all that follows. */
export const TABLE_BYTES: i32 = 4096 + 2048 + 32 + 64 * 1024;

/** Where this thread's tables are, in the builds for threads. */
// @ts-ignore: decorator
@external("thread", "tables")
declare const TABLES: usize;

/** One behind the other, without a gap: the host counts on it from LABELS on. */
export const BACKUP: usize = ASC_FEATURE_THREADS ? TABLES : memory.data(TABLE_BYTES, 16);
export const STAGE: usize = BACKUP + 4096;
export const GROUP: usize = STAGE + 2048;
export const LABELS: usize = GROUP + 32;
export const WEIGHTS: usize = LABELS + 4 * ROWS;
export const FACTORS: usize = WEIGHTS + 8 * ROWS;
export const GATHERED: usize = FACTORS + 8 * ROWS;
export const PER_TOKEN: usize = GATHERED + 8 * ROWS;
export const LSE: usize = PER_TOKEN + 8 * ROWS;
export const NLL: usize = LSE + 8 * ROWS;
export const ENTROPY: usize = NLL + 8 * ROWS;
export const FLAGS: usize = ENTROPY + 8 * ROWS;

/** Bits of FLAGS; src/engine.ts has the same two. */
export const NON_FINITE: i32 = 1;
export const CORRECT: i32 = 2;
