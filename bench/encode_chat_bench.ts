/**
 * The demo's chats with Qwen3, warm: rendering alone, rendering with proof of
 * whose each character is, whole rows, and the check of a stored row; against
 * the plain tokenizer on the rendered texts. Cold figures, shares and other
 * files: `bench/encode_chat.ts`.
 */
import { Tokenizer } from "@huggingface/tokenizers";
import {
  checkCertificate,
  encodeChat,
  loadTokenizer,
  renderChat,
} from "../src/chat/mod.ts";
import { compileTemplate } from "../src/chat/template.ts";
import { EXAMPLES, loadQwen3Files, readChats } from "./chats.ts";
import { verify } from "./data.ts";

const files = await loadQwen3Files();
const tokenizer = loadTokenizer(files);
const plain = new Tokenizer(files.tokenizerJson, files.tokenizerConfig);
const date = new Date(0);
const chatTemplate = tokenizer.chatTemplate!;
const chats = (await readChats(EXAMPLES)).map(({ messages, tools }) => ({
  messages,
  options: { date, ...(tools === undefined ? {} : { tools }) },
}));

const encodeAll = () =>
  chats.map(({ messages, options }) =>
    encodeChat(messages, { tokenizer, ...options })
  );
const rows = encodeAll();
const encodePlain = (text: string) =>
  plain.encode(text, { add_special_tokens: false }).ids;
let tokens = 0;
for (const row of rows) {
  const same = encodePlain(row.text).join() === row.inputIds.join();
  verify("encodeChat", Number(same), 1, 0);
  checkCertificate(row, tokenizer);
  tokens += row.inputIds.length;
}

const group = `${rows.length} chats, ${tokens} tokens`;
Deno.bench({ name: "plain encode", group, baseline: true }, () => {
  for (const { text } of rows) encodePlain(text);
});
Deno.bench({ name: "render", group }, () => {
  const template = compileTemplate(chatTemplate);
  for (const { messages, options } of chats) {
    template.render({ messages, ...options });
  }
});
Deno.bench({ name: "renderChat", group }, () => {
  for (const { messages, options } of chats) {
    renderChat(messages, { chatTemplate, ...options });
  }
});
Deno.bench({ name: "encodeChat", group }, () => {
  encodeAll();
});
Deno.bench({ name: "checkCertificate", group }, () => {
  for (const row of rows) checkCertificate(row, tokenizer);
});
