/** `loss`: the numbers of the library, to the bit, and what is said of them. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  causalLoss,
  maskedCrossEntropy,
  type Reduction,
} from "../../../mod.ts";
import { encodeNpy, type Tensor } from "../../../src/formats/mod.ts";
import { cli, TOKENIZER } from "../fixture.ts";
import { inFolder } from "./folder.ts";

const REDUCTIONS = ["token", "sample", "sequence", "sum"] as const;
const B = 3, T = 40, V = 300;

let state = 1;
/** From 0 to 1; the generator of Numerical Recipes, p. 284. */
function random(): number {
  state = Math.imul(state, 1664525) + 1013904223 >>> 0;
  return state / 2 ** 32;
}

const logits = Float32Array.from(
  { length: B * T * V },
  () => 8 * random() - 4,
);
const labels = Int32Array.from(
  { length: B * T },
  () => random() < 0.3 ? -100 : Math.floor(random() * 256),
);

/** Writes arrays as .npy files, and runs `loss` on them. */
async function loss(
  folder: string,
  arrays: Record<string, Tensor>,
  args: string[] = [],
) {
  const files = Object.entries(arrays).flatMap(([name, tensor]) => {
    const path = `${folder}/${name}.npy`;
    Deno.writeFileSync(path, encodeNpy(tensor));
    return [`--${name}`, path];
  });
  return await cli(["loss", ...files, ...args]);
}

const f32 = (data: Float32Array, ...shape: number[]): Tensor => ({
  dtype: "f32",
  shape,
  data,
});
const i32 = (data: Int32Array, ...shape: number[]): Tensor => ({
  dtype: "i32",
  shape,
  data,
});

/** The losses of the library. */
function wanted(
  score: (reduction: Reduction) => { loss: number },
): Record<string, number> {
  return Object.fromEntries(
    REDUCTIONS.map((reduction) => [reduction, score(reduction).loss]),
  );
}

Deno.test("loss is maskedCrossEntropy()'s in every reduction, to the bit", async () => {
  await inFolder(async (folder) => {
    const { code, out, err } = await loss(folder, {
      logits: f32(logits, B * T, V),
      labels: i32(labels, B * T),
    }, ["--json"]);
    assertEquals([code, err], [0, ""]);
    const summary = JSON.parse(out);
    assertEquals(
      summary.loss,
      wanted((reduction) =>
        maskedCrossEntropy(logits, labels, { reduction, metrics: true })
      ),
    );
    const whole = maskedCrossEntropy(logits, labels, { metrics: true });
    assertEquals(summary.activeTokens, whole.activeTokens);
    assertEquals(summary.totalTokens, B * T);
    assertEquals(summary.perplexity, whole.metrics!.perplexity);
    assertEquals(summary.accuracy, whole.metrics!.accuracy);
    assertEquals(summary.entropy, whole.metrics!.entropy);
    assertEquals(summary.notFinite, []);
  });
});

Deno.test("loss --shift is causalLoss()'s, sequence by sequence", async () => {
  const dims = [B, T, V];
  await inFolder(async (folder) => {
    for (const option of ["--shift", "--causal"]) {
      const { out } = await loss(folder, {
        logits: f32(logits, ...dims),
        labels: {
          dtype: "i64",
          shape: [B, T],
          data: BigInt64Array.from(labels, BigInt),
        },
      }, [option, "--json"]);
      const summary = JSON.parse(out);
      const options = { metrics: true, perToken: true } as const;
      const score = (reduction: Reduction) =>
        causalLoss({ data: logits, dims }, { labels }, {
          ...options,
          reduction,
        });
      assertEquals(summary.loss, wanted(score));
      const { perSequence, perToken, totalTokens } = score("sequence");
      assertEquals(summary.totalTokens, totalTokens);
      assertEquals(
        summary.sequences.map(({ sum }: { sum: number }) => sum),
        [...perSequence!.sum],
      );
      const worst = Math.max(...perToken!);
      assertEquals(summary.worst[0].loss, worst);
      assertEquals(summary.worst[0].row, perToken!.indexOf(worst));
      assertEquals(summary.worst.length, 10);
    }
  });
});

Deno.test("loss takes borders, lengths, and shapes of labels for sequences", async () => {
  await inFolder(async (folder) => {
    const flat = f32(logits, B * T, V);
    const score = (cuSeqlens: number[]) =>
      wanted((reduction) =>
        causalLoss(logits, { labels, cuSeqlens }, { reduction, metrics: true })
      );
    const losses = async (
      arrays: Record<string, Tensor>,
      ...args: string[]
    ) => {
      const all = { logits: flat, labels: i32(labels, B * T), ...arrays };
      const { out } = await loss(folder, all, ["--shift", "--json", ...args]);
      return JSON.parse(out).loss;
    };
    const thirds = score([0, 40, 80, 120]);
    assertEquals(await losses({}, "--sequence-length", "40"), thirds);
    assertEquals(await losses({ labels: i32(labels, B, T) }), thirds);
    const borders = i32(Int32Array.of(0, 7, 7, 90, 120), 5);
    assertEquals(
      await losses({ "cu-seqlens": borders }),
      score([0, 7, 7, 90, 120]),
    );
  });
});

Deno.test("loss takes labels of every kind of whole number", async () => {
  const known = labels.map((label) => Math.max(label, 0)); // not every kind has -100
  const wide = BigInt64Array.from(known, BigInt);
  const kinds: Tensor[] = [
    { dtype: "u8", shape: [B, T], data: Uint8Array.from(known) },
    { dtype: "i16", shape: [B * T], data: Int16Array.from(known) },
    { dtype: "u16", shape: [B, T], data: Uint16Array.from(known) },
    { dtype: "u32", shape: [B, T], data: Uint32Array.from(known) },
    { dtype: "u64", shape: [B * T], data: BigUint64Array.from(wide) },
    { dtype: "i64", shape: [B, T], data: wide },
  ];
  await inFolder(async (folder) => {
    const score = (reduction: Reduction) =>
      maskedCrossEntropy(logits, known, {
        reduction,
        sequenceLength: T,
        metrics: true,
      });
    for (const kind of kinds) {
      const arrays = { logits: f32(logits, B, T, V), labels: kind };
      const { out, err } = await loss(folder, arrays, ["--json"]);
      assertEquals(err, "");
      assertEquals(JSON.parse(out).loss, wanted(score));
    }
  });
});

Deno.test("loss leaves out what lies behind the last border", async () => {
  await inFolder(async (folder) => {
    const { out } = await loss(folder, {
      logits: f32(logits, B * T, V),
      labels: i32(labels, B * T),
      "cu-seqlens": i32(Int32Array.of(0, 30, 100), 3),
    }, ["--shift", "--json"]);
    const summary = JSON.parse(out);
    const short = causalLoss(
      logits.subarray(0, 100 * V),
      { labels: labels.subarray(0, 100), cuSeqlens: [0, 30, 100] },
      { metrics: true },
    );
    assertEquals(summary.loss.token, short.loss);
    assertEquals(summary.sequences.length, 2);
    assertEquals(summary.activeTokens, short.activeTokens);
  });
});

Deno.test("loss reads half types, padded vocabularies, transforms", async () => {
  await inFolder(async (folder) => {
    const half = Uint16Array.from(
      { length: 6 * 8 },
      () => 0x3800 + Math.floor(random() * 0x800),
    );
    const few = Int32Array.of(0, 1, 2, 3, -100, 4);
    const cases = [
      ["f16", [], {}],
      ["u16", ["--dtype", "bf16"], { dtype: "bf16" }],
      ["u16", ["--dtype", "f16"], { dtype: "f16" }],
      ["f16", ["--vocab-size", "5"], { vocabSize: 5, rowStride: 8 }],
      ["f16", ["--softcap", "2", "--logit-scale", "-0.5"], {
        softcap: 2,
        logitScale: -0.5,
      }],
    ] as const;
    for (const [dtype, args, options] of cases) {
      const { out, err } = await loss(folder, {
        logits: { dtype, shape: [6, 8], data: half },
        labels: i32(few, 6),
      }, [...args, "--json"]);
      assertEquals(err, "");
      assertEquals(
        JSON.parse(out).loss.token,
        maskedCrossEntropy(half, few, {
          dtype: "f16",
          ...options,
          metrics: true,
        }).loss,
      );
    }
    const { out } = await loss(folder, {
      logits: f32(logits.subarray(0, 6 * 8), 6, 8),
      labels: i32(Int32Array.of(0, 1, 2, 3, 7, 4), 6),
    }, ["--ignore-index", "7", "--json"]);
    assertEquals(JSON.parse(out).activeTokens, 5);
  });
});

Deno.test("loss names rows that are no numbers, and costly tokens by their text", async () => {
  const odd = logits.slice();
  odd[5 * V + 1] = NaN;
  odd[50 * V] = Infinity;
  const known = labels.map((label, t) => t % 40 < 2 ? -100 : label);
  known[5] = 65;
  known[50] = 66;
  known[70] = 90;
  odd[70 * V + 90] = -Infinity;
  const ids = known.map((label) => label === -100 ? 97 : label);
  await inFolder(async (folder) => {
    const arrays = {
      logits: f32(odd, B, T, V),
      labels: i32(known, B, T),
      "input-ids": i32(ids, B, T),
    };
    const { code, out } = await loss(folder, arrays, [
      "--tokenizer",
      TOKENIZER,
      "--worst",
      "3",
      "--sequences",
      "2",
    ]);
    assertEquals(code, 0);
    for (
      const words of [
        "■ 3 rows without a finite loss",
        "row 5 (sequence 0, position 5): NaN or infinite logits",
        "row 50 (sequence 1, position 10): NaN or infinite logits",
        "row 70 (sequence 1, position 30): the label's logit is -inf",
        "and 1 more",
        "costliest tokens",
        "⟦Z⟧",
      ]
    ) assertStringIncludes(out, words);
    const json = JSON.parse(
      (await loss(folder, arrays, ["--json", "--tokenizer", TOKENIZER])).out,
    );
    assertEquals(json.loss.token, "NaN");
    assertEquals(json.notFinite, [5, 50, 70]);
    const [first] = json.worst;
    assertEquals([first.row, first.loss, first.text], [70, "Infinity", "Z"]);
    assertEquals(first.before.length > 0, true);
  });
});

Deno.test("loss of nothing is 0", async () => {
  await inFolder(async (folder) => {
    for (const rows of [0, 4]) {
      const { code, out } = await loss(folder, {
        logits: f32(new Float32Array(rows * 5), rows, 5),
        labels: i32(new Int32Array(rows).fill(-100), rows),
      });
      assertEquals(code, 0);
      assertStringIncludes(out, "nothing is scored, so every loss is 0");
    }
  });
});

Deno.test("loss refuses arrays that do not fit, in one line", async () => {
  const good = { logits: f32(logits, B * T, V), labels: i32(labels, B * T) };
  const i64 = BigInt64Array.of(2n ** 40n, 0n);
  const two = new Float32Array(10);
  const cases: [Record<string, Tensor>, string[], number, string][] = [
    [{ logits: f32(logits, B * T * V) }, [], 1, "must be logits [N, V] or"],
    [{ labels: i32(labels.subarray(1), B * T - 1) }, [], 1, "for each of the"],
    [{ labels: i32(labels, 1, B, T) }, [], 1, "for each of the 120 rows"],
    [
      { logits: f32(logits, B, T, V), labels: i32(labels, T, B) },
      [],
      1,
      "logits.npy, as [3, 40] or [120]: it is [40, 3]",
    ],
    [
      { logits: f32(logits, B, T, V), labels: i32(labels, 2, 60) },
      [],
      1,
      "as [3, 40] or [120]: it is [2, 60]",
    ],
    [
      { labels: i32(labels, B, T), "input-ids": i32(labels, T, B) },
      ["--tokenizer", TOKENIZER],
      1,
      "as [3, 40] or [120]: it is [40, 3]",
    ],
    [
      { labels: f32(new Float32Array(120), 120) },
      [],
      1,
      "holds f32: it must hold whole numbers",
    ],
    [
      {
        labels: {
          dtype: "u64",
          shape: [120],
          data: new BigUint64Array(120).fill(2n ** 64n - 100n),
        },
      },
      [],
      1,
      "a class in [0, 300): current value is 18446744073709551516",
    ],
    [{ labels: i32(labels.map(() => 300), 120) }, [], 1, "labels[0] must be"],
    [
      {
        logits: f32(two, 2, 5),
        labels: { dtype: "i64", shape: [2], data: i64 },
      },
      [],
      1,
      "labels[0] must be",
    ],
    [
      { logits: { dtype: "f64", shape: [2, 5], data: new Float64Array(10) } },
      [],
      1,
      "holds f64: logits must be <f4",
    ],
    [
      { logits: { dtype: "u16", shape: [120, 1], data: new Uint16Array(120) } },
      [],
      2,
      "say --dtype bf16 or --dtype f16",
    ],
    [{}, ["--dtype", "bf16"], 2, "--dtype bf16 is for <u2"],
    [{}, ["--vocab-size", "301"], 2, "--vocab-size must be within the 300"],
    [{}, ["--sequence-length", "7"], 2, "must divide the 120 rows"],
    [{}, ["--softcap", "0"], 2, "--softcap must be a number above 0"],
    [{}, ["--logit-scale", "x"], 2, "--logit-scale must be a number"],
    [{}, ["--ignore-index", "0.5"], 2, "--ignore-index must be a number whole"],
    [
      { "cu-seqlens": i32(Int32Array.of(0, 50, 20), 3) },
      [],
      1,
      "cuSeqlens must never fall",
    ],
    [
      { "cu-seqlens": i32(Int32Array.of(0, 121), 2) },
      [],
      1,
      "cuSeqlens must end at 120",
    ],
    [
      { "cu-seqlens": i32(Int32Array.of(0, 120), 2) },
      ["--sequence-length", "40"],
      2,
      "cannot both be said",
    ],
    [{ "input-ids": i32(labels, 120) }, [], 2, "say --tokenizer DIR"],
  ];
  await inFolder(async (folder) => {
    for (const [arrays, args, wanted, words] of cases) {
      const { code, out, err } = await loss(
        folder,
        { ...good, ...arrays },
        args,
      );
      assertEquals([code, out], [wanted, ""], words);
      assertStringIncludes(err, words);
      assertEquals(err.trimEnd().split("\n").length, wanted);
    }
  });
});

Deno.test("loss refuses files that are no arrays", async () => {
  await inFolder(async (folder) => {
    const file = encodeNpy(f32(logits.subarray(0, 10), 2, 5));
    const fortran = file.slice();
    const at = new TextDecoder("latin1").decode(file).indexOf("False");
    fortran.set(new TextEncoder().encode("True "), at);
    const cases: [Uint8Array, string][] = [
      [new Uint8Array(0), "not a .npy file: it has no magic"],
      [new TextEncoder().encode("[[1, 2]]"), "it has no magic"],
      [file.subarray(0, 7), "it has no version"],
      [file.subarray(0, 40), "it ends within its header"],
      [file.subarray(0, -1), "must have 40 bytes of data for its shape [2, 5]"],
      [Uint8Array.of(...file, 0), "it has 41"],
      [fortran, "the order must be C"],
      [encodeNpy({ dtype: "f32", shape: [], data: Float32Array.of(1) }), "()"],
    ];
    const labels = `${folder}/labels.npy`;
    Deno.writeFileSync(labels, encodeNpy(i32(Int32Array.of(1, 2), 2)));
    for (const [bytes, words] of cases) {
      const path = `${folder}/logits.npy`;
      Deno.writeFileSync(path, bytes);
      const args = ["loss", "--logits", path, "--labels", labels];
      const { code, err } = await cli(args);
      assertEquals(code, 1, words);
      assertStringIncludes(err, words);
    }
    for (const path of ["none.npy", "tests"]) {
      const args = ["loss", "--logits", path, "--labels", labels];
      const { code, err } = await cli(args);
      assertEquals(code, 2);
      assertStringIncludes(err, `cannot read ${path}`);
    }
  });
});

Deno.test("loss reads logits some rows at a time, to the same bits", async () => {
  // 40 MB, more than is read at once
  const [rows, columns] = [25, 400_000];
  const large = Float32Array.from(
    { length: rows * columns },
    (_, i) => (i * 2654435761 >>> 20) / 512 - 4,
  );
  const few = Int32Array.from({ length: rows }, (_, t) => t * 777);
  await inFolder(async (folder) => {
    const { out } = await loss(folder, {
      logits: f32(large, rows, columns),
      labels: i32(few, rows),
    }, ["--shift", "--json"]);
    const whole = causalLoss(large, few, { metrics: true });
    const summary = JSON.parse(out);
    assertEquals(summary.loss.token, whole.loss);
    assertEquals(summary.perplexity, whole.metrics!.perplexity);
    assert(summary.worst.length === 10);
  });
});
