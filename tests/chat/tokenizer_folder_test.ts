/** A tokenizer from a folder, as a model is downloaded: three small files in ./fixture. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  checkCertificate,
  encodeChat,
  loadTokenizer,
  readTokenizerFolder,
} from "../../src/chat/mod.ts";

const folder = new URL("./fixture", import.meta.url).pathname;

Deno.test("readTokenizerFolder() reads the files of a model", () => {
  for (const path of [folder, `${folder}/`, `${folder}//`]) {
    const tokenizer = readTokenizerFolder(path);
    assertEquals(tokenizer.eosToken, "<end>");
    assertEquals(tokenizer.bosToken, "");
    assertEquals(tokenizer.chatTemplate?.startsWith("{% for m in"), true);
    const row = encodeChat([
      { role: "user", content: "hi" },
      { role: "assistant", content: "ok" },
    ], { tokenizer });
    checkCertificate(row, tokenizer);
    assertEquals([...row.inputIds], [5, 0, 1, 7, 6, 4, 7]);
    assertEquals([...row.labels], [-100, -100, -100, -100, -100, 4, 7]);
  }
});

Deno.test("readTokenizerFolder() says what it lacks", () => {
  assertThrows(
    () => readTokenizerFolder(5 as never),
    TypeError,
    "Cannot load tokenizer",
  );
  assertThrows(
    () => readTokenizerFolder(`${folder}/none`),
    Error,
    "tokenizer.json",
  );
  // a runtime without files
  const { process } = globalThis as { process?: unknown };
  Object.defineProperty(globalThis, "process", {
    value: undefined,
    configurable: true,
    writable: true,
  });
  try {
    assertThrows(
      () => readTokenizerFolder(folder),
      TypeError,
      "no file system",
    );
  } finally {
    Object.defineProperty(globalThis, "process", {
      value: process,
      configurable: true,
      writable: true,
    });
  }
});

Deno.test("loadTokenizer() takes files parsed or as text, and templates of every shape", () => {
  const read = (name: string) => Deno.readTextFileSync(`${folder}/${name}`);
  const tokenizerJson = read("tokenizer.json");
  const config = JSON.parse(read("tokenizer_config.json"));
  const templateOf = (chat_template: unknown, chatTemplate?: string) =>
    loadTokenizer({
      tokenizerJson,
      tokenizerConfig: { ...config, chat_template },
      ...(chatTemplate === undefined ? {} : { chatTemplate }),
    }).chatTemplate;
  assertEquals(templateOf("a"), "a");
  assertEquals(templateOf("a", "b"), "b");
  assertEquals(templateOf(undefined), undefined);
  assertEquals(
    templateOf([{ name: "tool_use", template: "t" }, {
      name: "default",
      template: "d",
    }]),
    "d",
  );
  assertEquals(templateOf([{ name: "tool_use", template: "t" }]), "t");
  assertEquals(templateOf([]), undefined);
  assertThrows(
    () => loadTokenizer({ tokenizerJson: "{", tokenizerConfig: {} }),
    SyntaxError,
  );
  for (const wrong of [5, null, [], "[]"]) {
    assertThrows(
      () => loadTokenizer({ tokenizerJson: wrong, tokenizerConfig: {} }),
      TypeError,
      "Cannot load tokenizer",
    );
  }
  const json = JSON.parse(tokenizerJson);
  assertThrows(
    () =>
      loadTokenizer({
        tokenizerJson: {
          ...json,
          decoder: { type: "WordPiece" },
          pre_tokenizer: null,
        },
        tokenizerConfig: {},
      }),
    RangeError,
    "byte-level or SentencePiece's",
  );
});
