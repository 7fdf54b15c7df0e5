/**
 * A program that uses the library as anyone would, with the answers at hand. It
 * is plain JavaScript of 2022, for it runs in every runtime as it stands; the
 * library and the golden values are handed in, so any loader will do.
 *
 * @module
 */

/** DESIGN's bounds for the float32 engines. */
const LOSS_BOUND = 1e-6;
const GRAD_BOUND = 2e-6;

/**
 * Runs every check.
 *
 * @param {object} api What `import * as api from "@sft/loss"` gives.
 * @param {object} golden What golden.ts made.
 * @returns {{ name: string, error: string | null }[]} What was checked, and what was wrong.
 */
export function consume(api, golden) {
  const checks = [];
  const check = (name, run) => {
    try {
      run();
      checks.push({ name, error: null });
    } catch (error) {
      checks.push({ name, error: String(error?.message ?? error) });
    }
  };
  const { inputIds, labels, vocabSize } = golden;

  check("findSpans, maskLabels and labelsFromMask", () => {
    const spans = api.findSpans(inputIds, golden.findSpans);
    same(spans, golden.spans, "spans");
    same([...api.maskLabels(inputIds, spans)], labels, "labels");
    same([...api.labelsFromMask(inputIds, golden.mask)], labels, "by mask");
    const wide = BigInt64Array.from(inputIds, BigInt);
    same([...api.maskLabels(wide, spans)], labels, "labels of int64 ids");
  });

  for (const wanted of golden.losses) {
    check(`loss and gradient: ${wanted.name}`, () => {
      const { options } = wanted;
      const logits = arrayOf(golden, wanted.logits);
      const scored = api.maskedCrossEntropy(logits, labels, options);
      const result = api.maskedCrossEntropyGrad(logits, labels, options);
      const gradLogits = wanted.gradLogits.map(Number);
      for (const { loss, perToken } of [scored, result]) {
        near(loss, Number(wanted.loss), "loss");
        for (let i = 0; i < labels.length; i++) {
          near(perToken[i], Number(wanted.perToken[i]), `perToken[${i}]`);
        }
      }
      nearRows(result.gradLogits, gradLogits, vocabSize);
    });
    check(`the same bits as everywhere: ${wanted.name}`, () => {
      const options = { ...wanted.options, deterministic: true };
      const logits = arrayOf(golden, wanted.logits);
      const { loss, perToken, gradLogits } = api.maskedCrossEntropyGrad(
        logits,
        labels,
        options,
      );
      same(
        hexOf(Float64Array.of(loss)) + hexOf(perToken) + hexOf(gradLogits),
        wanted.bits,
        "bits",
      );
    });
  }

  check("packed documents have the loss of their own", () => {
    const { cuSeqlens, loss } = golden.packed;
    const logits = arrayOf(golden, "f32");
    const options = { deterministic: true };
    same(api.causalLoss(logits, { labels, cuSeqlens }, options).loss, loss);
    const [, border, end] = cuSeqlens;
    const parts = [[0, border], [border, end]].map(([from, to]) =>
      api.causalLoss(
        logits.subarray(from * vocabSize, to * vocabSize),
        { labels: labels.slice(from, to) },
        options,
      )
    );
    same(api.mergeLoss(parts).loss, loss, "merged");
  });

  check("a workspace gives the same, in place", () => {
    const logits = arrayOf(golden, "f32");
    const workspace = api.createLossWorkspace({
      rows: labels.length,
      vocabSize,
    });
    workspace.logits.set(logits);
    const wanted = api.maskedCrossEntropyGrad(logits, labels);
    const result = api.maskedCrossEntropyGrad(workspace.logits, labels, {
      into: "in-place",
    });
    same(result.loss, wanted.loss, "loss");
    same(hexOf(result.gradLogits), hexOf(wanted.gradLogits), "gradient");
    workspace.dispose();
  });

  check("a wrong label is a RangeError that names it", () => {
    const bad = labels.slice();
    bad[5] = vocabSize;
    try {
      api.maskedCrossEntropy(arrayOf(golden, "f32"), bad);
    } catch (error) {
      if (error instanceof RangeError && /\b37\b/.test(error.message)) return;
      throw error;
    }
    throw new Error("nothing was thrown");
  });

  const Half = globalThis.Float16Array;
  if (Half !== undefined) {
    check("Float16Array logits", () => {
      const bits = arrayOf(golden, "f16");
      const half = new Half(bits.buffer);
      const { loss } = golden.losses.find(({ logits }) => logits === "f16");
      near(api.maskedCrossEntropy(half, labels).loss, loss, "loss");
    });
  }
  return checks;
}

/** Golden logits as the array they are for. */
export function arrayOf({ logits }, name) {
  const isHalf = name === "bf16" || name === "f16";
  return (isHalf ? Uint16Array : Float32Array).from(logits[name], Number);
}

function hexOf(array) {
  const plain = array.map((value) => value !== value ? NaN : value);
  return Array.from(
    new Uint8Array(plain.buffer),
    (byte) => byte.toString(16).padStart(2, "0"),
  ).join("");
}

/** Throws unless two values are the same as JSON. */
function same(actual, wanted, what = "value") {
  const [a, e] = [actual, wanted].map((value) => JSON.stringify(value));
  if (a !== e) throw new Error(`${what}: ${a} instead of ${e}`);
}

/** Throws unless |a - e| / max(1, |e|) is within the bound; NaN is NaN, infinity itself. */
export function near(actual, wanted, what, bound = LOSS_BOUND) {
  if (Object.is(actual, wanted)) return;
  const error = Math.abs(actual - wanted) / Math.max(1, Math.abs(wanted));
  if (error <= bound) return;
  throw new Error(`${what}: ${actual} instead of ${wanted}`);
}

/** Throws unless |a - e| / (|e| + 1e-4 · max |e| of the row) is within the bound everywhere. */
export function nearRows(actual, wanted, vocabSize, bound = GRAD_BOUND) {
  if (actual.length !== wanted.length) throw new Error("gradient: its length");
  for (let row = 0; row < wanted.length; row += vocabSize) {
    const values = wanted.slice(row, row + vocabSize);
    const top = Math.max(...values.map(Math.abs));
    for (let k = 0; k < vocabSize; k++) {
      const a = actual[row + k], e = values[k];
      if (a === e || (a !== a && e !== e)) continue;
      if (Math.abs(a - e) <= bound * (Math.abs(e) + 1e-4 * top)) continue;
      throw new Error(`gradient[${row + k}]: ${a} instead of ${e}`);
    }
  }
}

/**
 * `./reference`: the golden values again, in this runtime's own float64.
 *
 * @param {object} reference What `./reference` exports.
 * @param {object} golden What golden.ts made.
 * @returns {{ name: string, error: string | null }[]} What was checked, and what was wrong.
 */
export function consumeReference(reference, golden) {
  const { labels, vocabSize } = golden;
  return golden.losses.map(({ name, logits, options, ...wanted }) => {
    const check = `reference: ${name}`;
    try {
      const data = arrayOf(golden, logits);
      const found = reference.maskedCrossEntropyGrad(data, labels, options);
      const gradLogits = wanted.gradLogits.map(Number);
      // hosts differ in the last bit of Math.exp and Math.log
      near(found.loss, Number(wanted.loss), "loss", 1e-13);
      nearRows(found.gradLogits, gradLogits, vocabSize, 1e-11);
      return { name: check, error: null };
    } catch (error) {
      return { name: check, error: String(error?.message ?? error) };
    }
  });
}
