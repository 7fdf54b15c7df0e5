/**
 * Lines and files that are no chats, each with a word of what should be said of
 * them. A bad line must not disturb the lines beside it.
 *
 * @module
 */

const long = "x".repeat(1 << 20);

const ask = { role: "user", content: "Hi" };
const answer = { role: "assistant", content: "Ho" };

const messages = (...list: unknown[]) => JSON.stringify({ messages: list });

const nested = (depth: number): string =>
  `${`{"a":`.repeat(depth)}1${"}".repeat(depth)}`;

/** A bad line, and what is said of it. */
export const BAD_LINES: readonly (readonly [line: string, words: string])[] = [
  // not JSON
  ["{", "not JSON"],
  ["}", "not JSON"],
  ["{]", "not JSON"],
  ["hello", "not JSON"],
  ["<html><body>404</body></html>", "not JSON"],
  ["prompt,completion", "not JSON"],
  ["{'messages': []}", "not JSON"],
  ['{"messages": [}', "not JSON"],
  ['{"messages": [{"role": "user", "content": "cut of', "not JSON"],
  ['{"a": 1} {"b": 2}', "not JSON"],
  ['{"a": NaN}', "not JSON"],
  ['{"a": undefined}', "not JSON"],
  ['{"a": 01}', "not JSON"],
  ['{"a": 1,}', "not JSON"],
  ['{"a": "\\x"}', "not JSON"],
  ['{"a": "\t"}', "not JSON"],
  ["// a comment", "not JSON"],
  [`{"a": ${"[".repeat(100_000)}`, "not JSON"],

  // JSON, but no row
  ["null", "must be an object: got null"],
  ["true", "must be an object: got boolean"],
  ["42", "must be an object: got number"],
  ['"text"', "must be an object: got string"],
  ["{}", "expected messages"],
  ['{"text": "Once upon a time"}', "expected messages"],
  ['{"message": []}', "expected messages"],
  ['{"messages": null}', "expected messages"],
  ['{"messages": []}', "at least one message"],
  ['{"messages": {}}', "messages must be a list"],
  ['{"messages": "hi"}', "messages must be a list"],
  ['{"messages": 5}', "messages must be a list"],
  ['{"messages": [null]}', "messages[0] must be an object"],
  ['{"messages": ["hi"]}', "messages[0] must be an object"],
  ['{"messages": [[]]}', "messages[0] must be an object"],
  ['{"messages": [{}]}', "messages[0] must have role and content"],
  ['{"messages": [{"role": "user"}]}', "messages[0].content must be"],
  ['{"messages": [{"content": "Hi"}]}', "messages[0] must have role"],
  [messages({ role: 5, content: "Hi" }), "messages[0].role must be a string"],
  [messages({ role: "", content: "Hi" }), "messages[0].role is empty"],
  [messages({ role: "user", content: 5 }), "messages[0].content must be"],
  [messages({ role: "user", content: {} }), "messages[0].content must be"],
  [messages({ role: "user", content: [5] }), "messages[0].content[0] must be"],
  [messages({ role: "user", content: [{}] }), "content[0].type must be"],
  [
    messages({ role: "user", content: [{ type: "text" }] }),
    "content[0].text must be a string",
  ],
  [messages(ask, { ...answer, train: "yes" }), "messages[1].train must be"],
  [messages(ask, { ...answer, weight: "1" }), "messages[1].weight must be"],
  [
    `{"messages": [{"role": "user", "content": "Hi", "weight": 1e999}]}`,
    "messages[0].weight must be a finite number: got Infinity",
  ],
  [
    messages(ask, { ...answer, weight: 1e300 }),
    "messages[1].weight must be a number within 2^53: got 1e+300",
  ],
  [
    messages(ask, { ...answer, weight: 1, loss_weight: 2 }),
    "a weight and another loss_weight",
  ],
  [messages(ask, { ...answer, tool_calls: 5 }), "messages[1].tool_calls"],
  [messages(ask, { ...answer, tool_calls: [5] }), "messages[1].tool_calls[0]"],
  [
    messages(ask, { ...answer, reasoning_content: 5 }),
    "messages[1].reasoning_content must be a string",
  ],
  [
    '{"messages": [{"role": "user", "content": "Hi", "__proto__": {}}]}',
    "__proto__",
  ],
  [`{"messages": [{"role": "user", "content": "\\ud800"}]}`, "surrogate"],
  [`{"messages": [{"role": "user", "content": "a\\udc00"}]}`, "surrogate"],
  [`{"messages": [{"role": "user\\udfff", "content": "a"}]}`, "surrogate"],
  [
    `{"messages": [{"role": "user", "content": "Hi", "id": 9007199254740993}]}`,
    "beyond what is exact",
  ],
  [
    `{"messages": [{"role": "user", "content": "Hi", "x": ${nested(600)}}]}`,
    "nested deeper than",
  ],
  [`{"conversations": [{"from": "alien", "value": "Hi"}]}`, "from must be one"],
  [`{"conversations": [{"from": "human"}]}`, "value must be"],
  [`{"prompt": "Hi", "completion": 5}`, "completion must be a string"],
  [`{"prompt": [], "completion": "Ho"}`, "completion must be a list"],
  [`{"instruction": "Hi", "output": null}`, "expected messages"],
  [`{"instruction": "Hi", "output": "Ho", "history": [["a"]]}`, "history[0]"],
  [
    `{"system": "a", "messages": [{"role": "system", "content": "b"}]}`,
    "system says one thing",
  ],
  [
    `{"tools": "{", "messages": [{"role": "user", "content": "Hi"}]}`,
    "tools is not JSON",
  ],
  [
    `{"tools": [5], "messages": [{"role": "user", "content": "Hi"}]}`,
    "tools[0] must be an object",
  ],

  // a chat, but the template will not have it
  [messages({ role: "angry", content: "!" }, answer), "Nobody may be angry"],
  [messages({ role: "angry", content: long }, answer), "Nobody may be angry"],
];

/** Bytes of a file that is refused as a whole, and what is said of it. */
export const BAD_FILES: readonly (readonly [
  name: string,
  bytes: Uint8Array,
  words: string,
])[] = [
  ["empty", Uint8Array.of(), "standard input is empty"],
  ["blank", text(" \n\n\t\n"), "holds no rows"],
  ["a byte order mark", text("\ufeff"), "holds no rows"],
  ["zeros", new Uint8Array(100), "it is binary"],
  ["ELF", Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0), "it is binary"],
  ["PNG", Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10, 0), "binary"],
  ["gzip", Uint8Array.of(0x1f, 0x8b, 8, 0), "it is packed with gzip"],
  ["zstd", Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd), "it is packed with zstd"],
  ["bzip2", Uint8Array.of(0x42, 0x5a, 0x68, 0x39), "packed with bzip2"],
  ["zip", Uint8Array.of(0x50, 0x4b, 3, 4), "it is a zip archive"],
  ["npy", Uint8Array.of(0x93, 0x4e, 0x55, 0x4d), "it is a .npy array"],
  ["Arrow", text("ARROW1\0\0"), "it is an Arrow file"],
  ["UTF-16", Uint8Array.of(0xff, 0xfe, 0x7b, 0), "it is UTF-16"],
  ["UTF-16 the other way", Uint8Array.of(0xfe, 0xff, 0, 0x7b), "UTF-16"],
  ["Latin-1", Uint8Array.of(0x7b, 0xe4, 0x7d, 10), "not UTF-8"],
  ["a list that is open", text('[{"messages": []},'), "the list ends"],
  ["an empty list", text("[]"), "holds no rows"],
  ["a list of numbers", text("[1, 2]"), "must be an object: got number"],
  ["text behind a list", text("[] x"), "text behind the end of the list"],
];

function text(words: string): Uint8Array {
  return new TextEncoder().encode(words);
}
