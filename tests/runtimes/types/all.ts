/** Every entry as a strict TypeScript project sees it. */
import { encodeChat, loadTokenizer, readTokenizerFolder } from "@sft/loss/chat";
import { run } from "@sft/loss/cli";
import { columnsOf, toJsonl } from "@sft/loss/formats";
import { createParallelEngine, type ParallelEngine } from "@sft/loss/parallel";
import { type ExactGradResult, maskedCrossEntropyGrad } from "@sft/loss/reference";
import * as report from "@sft/loss/report";
import { found } from "./root.js";

const tokenizer = readTokenizerFolder("tokenizer");
const row = encodeChat([{ role: "user", content: "hi" }], { tokenizer });
const line: string = toJsonl(columnsOf(row));
const code: Promise<number> = run(["--version"]);
export const engine: Promise<ParallelEngine> = createParallelEngine({
  threads: 2,
});
export const exact: ExactGradResult = maskedCrossEntropyGrad(
  new Float32Array(4),
  [1],
);
export const all = [line, code, report, found, loadTokenizer];
// @ts-expect-error: a message has a role
encodeChat([{ content: "hi" }], { tokenizer });
