/** The label's logit: clamp-then-mask, on every int32, at both ends of memory. */
import { assertEquals } from "@std/assert";
import { decodeBf16, decodeF16 } from "../../src/half.ts";
import { clampLabel, select } from "../../src/reference/gather.ts";
import { type Bare, BF16, F16, F32, onBuilds } from "./bare.ts";

const IGNORE = -100;
const LOWEST = -(2 ** 31), HIGHEST = 2 ** 31 - 1;
const EXTREMES = [LOWEST, LOWEST + 1, -(2 ** 30), -101, -100, -99, -1, 0, 1]
  .concat([6, 7, 8, 9, 100, 2 ** 29, 2 ** 30, 2 ** 30 + 3, HIGHEST]);

/** GATHERED of one row at `at`, once per label, by one call per label. */
function gatherOne(
  bare: Bare,
  at: number,
  vocabSize: number,
  labels: number[],
  dtype = F32,
  ignoreIndex = IGNORE,
): number[] {
  return labels.map((label) => {
    bare.table("GATHERED").fill(NaN);
    bare.integers("LABELS")[0] = label;
    bare.kernels.gather(at, 1, vocabSize, 4 * vocabSize, dtype, ignoreIndex);
    assertEquals(bare.table("GATHERED")[1], NaN);
    return bare.table("GATHERED")[0]!;
  });
}

/** What the reference says. */
function expected(row: number[], labels: number[], ignoreIndex = IGNORE) {
  return labels.map((label) =>
    select(label !== ignoreIndex, row[clampLabel(label, row.length)]!)
  );
}

const ROW = [3, -1, 0.5, 8, -Infinity, 7, 2, 11];

onBuilds("gather() clamps every int32 into the row", (bare) => {
  const at = bare.base + 1024;
  bare.f32(at, 8).set(ROW);
  assertEquals(gatherOne(bare, at, 8, EXTREMES), expected(ROW, EXTREMES));
});

onBuilds(
  "gather() stays legal with the row at the bottom of memory",
  (bare) => {
    // The first KB holds nothing. A label of -100 that is not clamped points
    // below address 0, wraps to 4 GiB and traps.
    for (const at of [0, 16, 64]) {
      const row = bare.f32(at, 8);
      row.set(ROW);
      assertEquals(gatherOne(bare, at, 8, EXTREMES), expected(ROW, EXTREMES));
      row.fill(0);
    }
  },
);

onBuilds("gather() stays legal with the row at the top of memory", (bare) => {
  // whatever is read past the last column traps
  const at = bare.end - 32;
  bare.f32(at, 8).set(ROW);
  assertEquals(gatherOne(bare, at, 8, EXTREMES), expected(ROW, EXTREMES));
  bare.f32(bare.end - 4, 1)[0] = 42;
  const one = gatherOne(bare, bare.end - 4, 1, EXTREMES);
  assertEquals(one, expected([42], EXTREMES));
  for (const dtype of [BF16, F16]) {
    bare.u16(bare.end - 2, 1)[0] = 0;
    gatherOne(bare, bare.end - 2, 1, EXTREMES, dtype);
  }
});

onBuilds(
  "gather() selects: what an ignored row holds does not matter",
  (bare) => {
    const at = bare.base + 64;
    for (const bad of [NaN, Infinity, -Infinity]) {
      bare.f32(at, 8).fill(bad);
      const [found] = gatherOne(bare, at, 8, [IGNORE]);
      assertEquals(Object.is(found, 0), true, `${bad}`);
    }
    // ignoreIndex inside [0, V), and at int32's ends
    bare.f32(at, 8).set(ROW);
    for (const ignore of [0, 5, 7, LOWEST, HIGHEST]) {
      assertEquals(
        gatherOne(bare, at, 8, EXTREMES, F32, ignore),
        expected(ROW, EXTREMES, ignore),
        `ignoreIndex ${ignore}`,
      );
    }
  },
);

onBuilds(
  "gather() goes through all rows of any stride and writes no further",
  (bare) => {
    for (const [rows, V, stride] of [[1, 3, 3], [7, 5, 9], [1024, 4, 4]]) {
      bare.poison();
      const at = bare.base + 64, labels = bare.integers("LABELS");
      const want: number[] = [];
      for (let i = 0; i < rows!; i++) {
        const row = Array.from({ length: V! }, (_, k) => i + k / 8);
        bare.f32(at + 4 * stride! * i, V!).set(row);
        labels[i] = [0, IGNORE, V! - 1, 1][i % 4]!;
        want.push(...expected(row, [labels[i]!]));
      }
      bare.kernels.gather(at, rows!, V!, 4 * stride!, F32, IGNORE);
      assertEquals([...bare.table("GATHERED").subarray(0, rows)], want);
      bare.assertUntouched([[at, at + 4 * stride! * rows!]], rows);
    }
  },
);

onBuilds("gather() reads every half exactly", (bare) => {
  for (
    const [dtype, decode] of [[BF16, decodeBf16], [F16, decodeF16]] as const
  ) {
    const at = bare.base + 64, V = 65536 / 1024;
    for (let first = 0; first < 65536; first += V) {
      const codes = bare.u16(at, V);
      for (let k = 0; k < V; k++) codes[k] = first + k;
      // V rows that all begin at the same place: each takes another column
      const labels = bare.integers("LABELS");
      for (let k = 0; k < V; k++) labels[k] = k;
      bare.kernels.gather(at, V, V, 0, dtype, IGNORE);
      for (let k = 0; k < V; k++) {
        const found = bare.table("GATHERED")[k]!;
        if (!Object.is(found, decode(first + k))) {
          assertEquals(found, decode(first + k), `code ${first + k}`);
        }
      }
    }
  }
});
