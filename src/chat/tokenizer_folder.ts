/**
 * A tokenizer from a folder on disk. The only file of this room that reads one;
 * where there is no file system it says so when it is called.
 *
 * @module
 */
import { wrongKind } from "../checks.ts";
import { type ChatTokenizer, loadTokenizer } from "./tokenizer.ts";

interface FileSystem {
  readFileSync(path: string, encoding: "utf8"): string;
  existsSync(path: string): boolean;
}

/** Node's `fs`, by the way that Node, Deno and Bun share and bundlers leave alone. */
function fileSystem(): FileSystem {
  const runtime = (globalThis as {
    process?: { getBuiltinModule?(name: string): unknown };
  }).process;
  const fs = runtime?.getBuiltinModule?.("node:fs");
  if (fs === undefined) {
    throw new TypeError(
      "Cannot load tokenizer from a folder as this runtime has no file system: give the files' contents to loadTokenizer",
    );
  }
  return fs as FileSystem;
}

/**
 * Reads `tokenizer.json`, `tokenizer_config.json` and, where there is one,
 * `chat_template.jinja` from a folder, as a model is downloaded.
 *
 * @param path The folder.
 * @returns The tokenizer.
 * @throws {TypeError} A file is of the wrong kind, or there is no file system.
 * @throws {SyntaxError} A file is not JSON.
 *
 * @example
 * ```ts ignore
 * import { encodeChat, readTokenizerFolder } from "@sft/loss/chat";
 *
 * const tokenizer = readTokenizerFolder("models/qwen3");
 * const row = encodeChat(messages, { tokenizer });
 * ```
 */
export function readTokenizerFolder(path: string): ChatTokenizer {
  if (typeof path !== "string") {
    wrongKind("load tokenizer", "path must be a string", path);
  }
  const { readFileSync, existsSync } = fileSystem();
  const file = (name: string) => `${path.replace(/[/\\]+$/, "")}/${name}`;
  const template = file("chat_template.jinja");
  return loadTokenizer({
    tokenizerJson: readFileSync(file("tokenizer.json"), "utf8"),
    tokenizerConfig: readFileSync(file("tokenizer_config.json"), "utf8"),
    ...(existsSync(template)
      ? { chatTemplate: readFileSync(template, "utf8") }
      : {}),
  });
}
