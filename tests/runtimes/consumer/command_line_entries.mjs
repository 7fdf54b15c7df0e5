/** `./chat` and `./formats` in Deno, Node and Bun, also with the tokenizer from its folder: prints what was found as one line of JSON. */
import { readTokenizerFolder } from "@sft/loss/chat";
import wanted from "./chat.mjs";
import { useEntries } from "./entries.mjs";

const fromFolder = readTokenizerFolder("tokenizer");
const checks = [
  ...await useEntries(wanted),
  ...await useEntries(wanted, fromFolder),
];
console.log(JSON.stringify({ checks }));
