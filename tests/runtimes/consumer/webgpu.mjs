/**
 * `./webgpu`: loss and gradient on a GPU where there is one, else one line that
 * says what is missing.
 *
 * @module
 */
import { arrayOf, near, nearRows } from "./consume.mjs";

/** The bound of a gradient in float32, as `./webgpu` states it. */
const GRAD_BOUND = 5e-6;

/**
 * @param {object} webgpu What `./webgpu` exports.
 * @param {object} golden What golden.ts made.
 * @returns {Promise<{ hasGpu: boolean, reason: string | null, checks: object[] }>}
 */
export async function useGpu({ GpuUnavailableError, openGpu }, golden) {
  const { labels, vocabSize } = golden;
  let gpu;
  try {
    gpu = await openGpu();
  } catch (error) {
    const isTold = error instanceof GpuUnavailableError &&
      !error.message.includes("\n");
    const checks = [{
      name: "webgpu: there is none, and one line says why",
      error: isTold ? null : String(error?.stack ?? error),
    }];
    return { hasGpu: false, reason: error.message, checks };
  }
  const checks = [];
  for (const { name, logits, options, ...wanted } of golden.losses) {
    if (name !== "plain" && name !== "bf16") continue;
    try {
      const plan = await gpu.crossEntropy({
        rows: labels.length,
        vocabSize,
        into: "new",
        ...options,
      });
      const data = arrayOf(golden, logits);
      const result = await plan.run({ logits: data, labels });
      near(result.loss, Number(wanted.loss), "loss");
      const gradLogits = wanted.gradLogits.map(Number);
      nearRows(result.gradLogits, gradLogits, vocabSize, GRAD_BOUND);
      plan.dispose();
      checks.push({ name: `webgpu: ${name}`, error: null });
    } catch (error) {
      const text = String(error?.stack ?? error);
      checks.push({ name: `webgpu: ${name}`, error: text });
    }
  }
  gpu.dispose();
  return { hasGpu: true, reason: null, checks };
}
