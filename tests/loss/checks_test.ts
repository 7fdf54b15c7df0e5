/**
 * The border: every option out of its range is a RangeError, every wrong kind a
 * TypeError, the message says what was wanted and what came, and nothing has
 * been written.
 *
 * @module
 */
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  causalLoss,
  causalLossGrad,
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
} from "../../mod.ts";
import type { GradOptions, Logits, LossOptions } from "../../src/contract.ts";
import { assertBits } from "../conformance/bits.ts";

const N = 4, V = 3;
const LABELS = [0, 2, -100, 1];
const FUNCTIONS = {
  maskedCrossEntropy,
  maskedCrossEntropyGrad,
  causalLoss,
  causalLossGrad,
};

type Kind = typeof RangeError | typeof TypeError;

/** All functions refuse these options, say `wish` and `came`, and leave the logits alone. */
function refuse(options: unknown, kind: Kind, wish: string, came: string) {
  for (const [name, run] of Object.entries(FUNCTIONS)) {
    const logits = new Float32Array(N * V).fill(0.5);
    const all = name.endsWith("Grad")
      ? { into: "in-place", ...options as object }
      : options;
    const error = assertThrows(() => run(logits, LABELS, all as never), kind);
    const what = `${name}: ${error.message}`;
    assert(error.message.startsWith("Cannot compute loss as "), what);
    assert(error.message.includes(wish), `${what} does not say ${wish}`);
    assert(error.message.includes(came), `${what} does not say ${came}`);
    assertEquals(error.constructor, kind, what);
    assertBits(logits, new Array(N * V).fill(0.5), name);
  }
}

/** Options that are numbers: values out of range, as they are shown, and the wish. */
const NUMBERS: [keyof LossOptions, number[], string][] = [
  ["ignoreIndex", [0.5, NaN, Infinity, 2 ** 31, -(2 ** 31) - 1], "int32"],
  ["denominator", [0, -1, NaN, Infinity], "finite and more than 0"],
  ["sequenceLength", [0, -1, 1.5, NaN, Infinity], "at least 1"],
  ["vocabSize", [0, -1, 1.5, NaN, Infinity], "at least 1"],
  ["rowStride", [0, -1, 1.5, NaN, Infinity], "at least 1"],
  ["labelSmoothing", [-0.1, 1.1, NaN, Infinity], "in [0, 1]"],
  ["zLoss", [-1e-9, NaN, Infinity], "finite and at least 0"],
  ["softcap", [0, -1, NaN, Infinity], "finite and more than 0"],
  ["logitScale", [0, NaN, Infinity, -Infinity], "finite and not 0"],
];

for (const [name, values, wish] of NUMBERS) {
  Deno.test(`${name} must be ${wish}`, () => {
    for (const value of values) {
      refuse({ [name]: value }, RangeError, `${name} must be`, String(value));
      refuse({ [name]: value }, RangeError, wish, "current value is");
    }
    for (const [wrong, shown] of [["1", '"1"'], [null, "null"], [1n, "1n"]]) {
      refuse(
        { [name as string]: wrong },
        TypeError,
        `${name} must be a number`,
        String(shown),
      );
    }
    refuse({ [name]: [1] }, TypeError, `${name} must be a number`, "[1]");
    refuse({ [name]: true }, TypeError, `${name} must be a number`, "true");
  });
}

for (const name of ["perToken", "logSumExp", "metrics", "deterministic"]) {
  Deno.test(`${name} must be true or false`, () => {
    for (const [wrong, shown] of [[1, "1"], ["yes", '"yes"'], [null, "null"]]) {
      refuse(
        { [name]: wrong },
        TypeError,
        `${name} must be true or false`,
        String(shown),
      );
    }
  });
}

Deno.test("shift must be true or false, and not false where the loss is causal", () => {
  const logits = new Float32Array(N * V);
  const wrong = { shift: 1 } as unknown as LossOptions;
  assertThrows(() => maskedCrossEntropy(logits, LABELS, wrong), TypeError, "1");
  assertThrows(() => causalLoss(logits, LABELS, wrong), Error, "shift");
  assertThrows(
    () => causalLoss(logits, LABELS, { shift: false }),
    RangeError,
    "shift must be true",
  );
  const a = causalLoss(logits, LABELS, { shift: true });
  assertEquals(a, maskedCrossEntropy(logits, LABELS, { shift: true }));
});

Deno.test("reduction, dtype and into must be one of their words", () => {
  refuse(
    { reduction: "mean" },
    RangeError,
    "token, sample, sequence",
    '"mean"',
  );
  refuse({ reduction: 0 }, TypeError, "reduction must be one of", "0");
  refuse({ dtype: "f64" }, RangeError, "f32, bf16, f16", '"f64"');
  refuse({ dtype: 32 }, TypeError, "dtype must be one of", "32");
  refuse({ dtype: "bf16" }, TypeError, '"f32"', '"bf16"');
  for (const [into, kind] of [["over", RangeError], [true, TypeError]]) {
    const logits = new Float32Array(N * V);
    const options = { into } as GradOptions;
    for (const run of [maskedCrossEntropyGrad, causalLossGrad]) {
      assertThrows(
        () => run(logits, LABELS, options),
        kind as Kind,
        "into must be one of new, in-place",
      );
    }
  }
});

Deno.test("weights must be finite numbers, as many as there are", () => {
  for (const [name, n] of [["tokenWeights", N], ["classWeights", V]] as const) {
    for (const bad of [NaN, Infinity, -Infinity]) {
      const list = new Array(n).fill(1);
      list[1] = bad;
      refuse({ [name]: list }, RangeError, `${name}[1]`, String(bad));
    }
    refuse({ [name]: [1] }, RangeError, `${name}.length must equal ${n}`, "1");
    refuse({ [name]: ["1", 1, 1, 1].slice(0, n) }, TypeError, name, '"1"');
    refuse({ [name]: 1 }, TypeError, `${name} must be an array`, "1");
    refuse({ [name]: null }, TypeError, `${name} must be an array`, "null");
  }
});

Deno.test("cuSeqlens must start at 0, never fall and end at the rows", () => {
  refuse({ cuSeqlens: [1, 4] }, RangeError, "start at 0", "[1, 4]");
  refuse({ cuSeqlens: [] }, RangeError, "start at 0", "[]");
  refuse({ cuSeqlens: [0, 3, 2, 4] }, RangeError, "index 2", "[0, 3, 2, 4]");
  refuse({ cuSeqlens: [0, 5] }, RangeError, "end at 4", "[0, 5]");
  refuse({ cuSeqlens: [0, 3] }, RangeError, "end at 4", "[0, 3]");
  refuse({ cuSeqlens: [0, 1.5, 4] }, RangeError, "cuSeqlens[1]", "1.5");
  refuse({ cuSeqlens: 4 }, TypeError, "cuSeqlens must be", "4");
  refuse({ cuSeqlens: [0, 4], sequenceLength: 2 }, RangeError, "only one", "");
  refuse({ sequenceLength: 3 }, RangeError, "divide 4 rows", "3");
});

Deno.test("upstream must be finite, one or one per row that is scored", () => {
  const run = (upstream: unknown) => () =>
    maskedCrossEntropyGrad(new Float32Array(N * V), LABELS, {
      upstream: upstream as number,
    });
  for (const bad of [NaN, Infinity, -Infinity]) {
    assertThrows(run(bad), RangeError, "upstream must be finite");
    assertThrows(run([1, bad, 1, 1]), RangeError, "upstream[1] must be finite");
    run([1, 1, bad, 1])(); // the ignored row's is not read
  }
  assertThrows(run([1, 1, 1]), RangeError, "upstream.length must equal 4");
  assertThrows(run("2"), TypeError, "upstream");
  assertThrows(run([1, "2", 1, 1]), TypeError, "upstream[1]");
});

Deno.test("an option that does not exist is an error, and says which", () => {
  for (const name of ["reductions", "ignore_index", "Shift", "weight"]) {
    refuse(
      { [name]: 1 },
      TypeError,
      "every key of options must be one of",
      name,
    );
  }
  // of the linear functions, and of gradients: not for these
  const logits = new Float32Array(N * V);
  for (const run of [maskedCrossEntropy, causalLoss]) {
    const options = { bias: [1, 2, 3] } as LossOptions;
    assertThrows(() => run(logits, LABELS, options), TypeError, "bias");
  }
});

Deno.test("options must be an object", () => {
  for (const [wrong, shown] of [[null, "null"], [5, "5"], ["token", "token"]]) {
    const logits = new Float32Array(N * V);
    for (const run of Object.values(FUNCTIONS)) {
      assertThrows(
        () => run(logits, LABELS, wrong as never),
        TypeError,
        String(shown),
      );
    }
  }
});

Deno.test("logits must be an array of their types, or a tensor of one", () => {
  const wrong: [unknown, string][] = [
    [[1, 2, 3], "[1, 2, 3]"],
    [new Float64Array(3), "Float64Array"],
    [new Int32Array(3), "Int32Array"],
    [new ArrayBuffer(12), "Float32Array"],
    [new DataView(new ArrayBuffer(12)), "Float32Array"],
    [null, "null"],
    [undefined, "undefined"],
    ["123", '"123"'],
    [{ data: [1, 2, 3], dims: [1, 3] }, "[1, 2, 3]"],
    [{ data: new Float32Array(3) }, "data"],
  ];
  for (const [logits, shown] of wrong) {
    for (const run of [maskedCrossEntropy, maskedCrossEntropyGrad]) {
      assertThrows(() => run(logits as Logits, [0]), TypeError, shown);
    }
  }
  const bits = new Uint16Array(3);
  assertThrows(() => maskedCrossEntropy(bits, [0]), TypeError, "bf16");
  assertThrows(
    () => maskedCrossEntropy(bits, [0], { dtype: "f32" }),
    TypeError,
    '"f32"',
  );
});

Deno.test("shapes must fit together", () => {
  const run = (length: number, rows: number, options: LossOptions = {}) => () =>
    maskedCrossEntropy(new Float32Array(length), new Int32Array(rows), options);
  assertThrows(run(13, 4), RangeError, "multiple of the 4 labels");
  assertThrows(run(0, 4), RangeError, "multiple of the 4 labels");
  assertThrows(run(12, 4, { vocabSize: 4 }), RangeError, "4 rows of 4, 16");
  assertThrows(run(12, 0, { vocabSize: 4 }), RangeError, "0 rows of 4, 0");
  assertThrows(run(12, 0), RangeError, "12");
  assertThrows(run(12, 4, { rowStride: 2 }), RangeError, "4 rows of 2, 8");
  assertThrows(
    run(12, 4, { vocabSize: 4, rowStride: 3 }),
    RangeError,
    "rowStride must be at least vocabSize, 4",
  );
  run(12, 4, { vocabSize: 2, rowStride: 3 })();

  const tensor = (dims: number[], rows: number, options?: LossOptions) => () =>
    maskedCrossEntropy(
      { data: new Float32Array(12), dims },
      new Int32Array(rows),
      options,
    );
  for (const dims of [[12], [1, 2, 2, 3], [4, 4], [-4, -3], [2.5, 4.8], []]) {
    assertThrows(tensor(dims, 4), RangeError, "dims must be [N, V] or");
  }
  assertThrows(tensor([4, 3], 3), RangeError, "must equal the 4 rows of dims");
  assertThrows(
    tensor([2, 2, 3], 3),
    RangeError,
    "the 4 rows of dims [2, 2, 3]",
  );
  assertThrows(
    tensor([4, 3], 4, { rowStride: 4 }),
    RangeError,
    "the last of dims, 3",
  );
});

Deno.test("labels must be whole numbers, in an array", () => {
  const logits = new Float32Array(6);
  const run = (labels: unknown) => () =>
    maskedCrossEntropy(logits, labels as number[]);
  for (const bad of [null, undefined, 5, "01", {}]) {
    assertThrows(run(bad), TypeError, "labels must be an array");
    assertThrows(() => causalLoss(logits, bad as number[]), TypeError, "label");
  }
  for (const bad of [0.5, NaN, 2 ** 32, 2 ** 31]) {
    assertThrows(run([0, bad]), RangeError, "labels[1]");
  }
  assertThrows(run([0, "1"]), TypeError, "labels[1]");
  const { message } = assertThrows(run(BigInt64Array.of(0n, 50n)), RangeError);
  assert(message.endsWith("current value is 50"), message);
  assertEquals(
    maskedCrossEntropy(logits, BigInt64Array.of(0n, -100n)),
    maskedCrossEntropy(logits, [0, -100]),
  );
});
