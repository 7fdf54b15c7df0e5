/** The root as a strict TypeScript project sees it, with or without the DOM's types. */
import * as root from "@sft/loss";
import simd from "@sft/loss/kernels.wasm";
import relaxed from "@sft/loss/kernels_relaxed.wasm";

root.init({ simd, relaxed });
const labels: Int32Array = root.maskLabels([1, 2], [[0, 1]]);
const options: root.LossOptions = { reduction: "sequence", metrics: true };
const { loss, gradLogits } = root.causalLossGrad(new Float32Array(4), {
  labels,
}, options);
export const found: [number, Float32Array] = [loss, gradLogits];
export const workspace: root.LossWorkspace = root.createLossWorkspace({
  rows: 2,
  vocabSize: 4,
});
// @ts-expect-error: an option that is none
root.maskedCrossEntropy(new Float32Array(4), labels, { smoothing: 1 });
// @ts-expect-error: logits are typed arrays
root.maskedCrossEntropy([1, 2, 3, 4], labels);
