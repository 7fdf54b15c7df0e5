/**
 * Rows made by hand for the report's tests: chats of ChatML's shape whose tokens
 * the test names, with owners, fields, reasons, spans and certificate that agree.
 *
 * @module
 */
import fc from "fast-check";
import {
  type CertifiedRun,
  type EncodedChat,
  type Field,
  FIELDS,
  type Finding,
  type OwnedSpan,
  type Reason,
  REASONS,
  TRAINED_REASONS,
} from "../../src/row.ts";

/** A token: its text, or its bytes where it is a part of a character. */
export type Token = string | readonly number[];

/** A message as a test says it. */
export interface Said {
  role: string;
  /** Its tokens; a string is cut at each `¦`. */
  content: string | readonly Token[];
  /** What the content is (default `"content"`). */
  field?: Field;
  /** Default: whether the role is `"assistant"`. */
  train?: boolean;
  /** The weight of its trained tokens (default 1). */
  weight?: number;
  /** Why the content is or is not trained, where it is not for the usual reason. */
  reason?: Reason;
  /** Why single tokens of it are or are not trained, by their index. */
  reasons?: Readonly<Record<number, Reason>>;
  /** Leave the end of turn out. */
  open?: boolean;
}

interface Piece {
  bytes: Uint8Array;
  message: number;
  field: Field;
  reason: Reason;
  weight: number;
}

const UTF8 = new TextEncoder();

/** Cuts a string at each `¦`. */
export function cut(text: string): string[] {
  return text.split("¦");
}

/** A text in tokens of some four characters, none of them cut. */
export function chop(text: string, size = 4): string[] {
  return Array.from(text).reduce<string[]>((tokens, character, i) => {
    if (i % size === 0) tokens.push("");
    tokens[tokens.length - 1] += character;
    return tokens;
  }, []);
}

/** An id for a token: the same for the same bytes. */
function idOf(bytes: Uint8Array): number {
  return bytes.reduce((hash, byte) => (hash * 31 + byte) % 151_643, 7);
}

/** A chat as a row; `<|im_start|>role↵ … <|im_end|>↵` around each message. */
export function chatRow(
  said: readonly Said[],
  findings: readonly Finding[] = [],
): EncodedChat {
  const pieces = said.flatMap((one, message) => piecesOf(one, message));
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(
    Uint8Array.from(pieces.flatMap(({ bytes }) => [...bytes])),
  );
  const inputIds = Int32Array.from(pieces, ({ bytes }) => idOf(bytes));
  const trained = pieces.map(({ reason }) =>
    REASONS.indexOf(reason) < TRAINED_REASONS
  );
  let end = 0;
  const offsets = pieces.map(({ bytes }) =>
    [end, end += bytes.length] as const
  );
  const spans: OwnedSpan[] = [];
  const runs: CertifiedRun[] = [];
  for (let t = 0; t < pieces.length; t++) {
    if (!trained[t]) continue;
    const { message, field } = pieces[t]!;
    const start = t;
    while (
      trained[t + 1] && pieces[t + 1]!.message === message &&
      pieces[t + 1]!.field === field
    ) t++;
    spans.push(Object.assign([start, t + 1] as const, { message, field }));
    const last = runs.at(-1);
    const joins = last?.tokens[1] === start && last.message === message;
    const tokens = [joins ? last.tokens[0] : start, t + 1] as const;
    const bytes = [offsets[tokens[0]]![0], offsets[t]![1]] as const;
    if (joins) runs.pop();
    runs.push({
      tokens,
      bytes,
      message,
      fields: joins ? [...last.fields, field] : [field],
      text: new TextDecoder().decode(UTF8.encode(text).subarray(...bytes)),
    });
  }
  return {
    inputIds,
    labels: inputIds.map((id, t) => trained[t] ? id : -100),
    weights: Float64Array.from(
      pieces,
      ({ weight }, t) => trained[t] ? weight : 0,
    ),
    text,
    offsets,
    spans,
    certificate: {
      runs,
      trainedTokens: trained.filter(Boolean).length,
      trainedBytes: runs.reduce((sum, { bytes: [a, b] }) => sum + b - a, 0),
      proof: "marks of the same length",
      checked: ["every kept run's token bytes are the text's bytes"],
    },
    findings,
    owners: Int32Array.from(pieces, ({ message }) => message),
    fields: Uint8Array.from(pieces, ({ field }) => FIELDS.indexOf(field)),
    reasons: Uint8Array.from(pieces, ({ reason }) => REASONS.indexOf(reason)),
    roles: said.map(({ role }) => role),
  };
}

function piecesOf(
  said: Said,
  message: number,
): Piece[] {
  const { role, content, field = "content", train, open } = said;
  const { weight = 1, reason, reasons = {} } = said;
  const isTrained = train ?? role === "assistant";
  const piece = (token: Token, field: Field, reason: Reason): Piece => ({
    bytes: typeof token === "string"
      ? UTF8.encode(token)
      : Uint8Array.from(token),
    message,
    field,
    reason,
    weight,
  });
  const tokens = typeof content === "string" ? cut(content) : content;
  const why = reason ??
    (isTrained
      ? "answer"
      : role === "assistant"
      ? "turn_not_trained"
      : "role_not_trained");
  return [
    ...["<|im_start|>", role, "\n"].map((token) =>
      piece(token, "header", "header")
    ),
    ...tokens.map((token, t) => piece(token, field, reasons[t] ?? why)),
    ...open ? [] : [
      piece("<|im_end|>", "end_of_turn", isTrained ? "end_of_turn" : why),
      {
        ...piece("\n", "template", "whitespace_after_stop"),
        message: isTrained ? message : -1,
        reason: isTrained
          ? "whitespace_after_stop" as const
          : "template" as const,
      },
    ],
  ];
}

/** Strings that would do harm where they were not text. */
export const HOSTILE: readonly string[] = [
  "</script><script>window.__pwned=1</script>",
  "<img src=x onerror=window.__pwned=1>",
  "<!-- <script>",
  "<![CDATA[ ]]>",
  `"onmouseover="window.__pwned=1" x='`,
  "&lt;b&gt; &amp; &#x3c;script&#x3e;",
  "</textarea></title></style></template></details><svg onload=window.__pwned=1>",
  "\u2028window.__pwned=1\u2029",
  "\0\x01\x1b[31mred\x1b[2J\x1b]0;title\x07\x9b5m\x7f",
  "\u202Eoverride\u2066isolate\uFEFF\u200B\u{E0041}",
  "\r\nline\rend\t",
  "${alert(1)} `backtick` \\u003c \\",
  "javascript:window.__pwned=1",
];

/** Any text, with the nasty ones often. */
export const anyText: fc.Arbitrary<string> = fc.array(
  fc.oneof(
    fc.constantFrom(...HOSTILE, " ", "\n", "\t", "中文", "👩‍👩‍👧", "é", "\ud83d"),
    fc.string({ unit: "binary" }),
    fc.string(),
  ),
  { maxLength: 6 },
).map((parts) => parts.join(""));

/** A handful of chats that show everything a report has. */
export function sampleRows(): { line: number; row: EncodedChat }[] {
  const system = { role: "system", content: "You¦ are¦ a¦ helpful¦ guide¦." };
  return [
    chatRow([
      system,
      { role: "user", content: "What¦ is¦ the¦ capital¦ of¦ France¦?" },
      {
        role: "assistant",
        content: "The¦ capital¦ is¦ Paris¦.¦\n\n¦Shall¦ I¦ go¦ on¦?",
      },
      { role: "user", content: "用¦中文¦说¦一¦遍¦。" },
      { role: "assistant", content: "法国¦的¦首都¦是¦巴黎¦。", weight: 0.5 },
    ]),
    chatRow([
      {
        role: "user",
        content: ["Smile", " ", [0xf0, 0x9f], [0x98], [0x80], "!"],
      },
      {
        role: "assistant",
        content: ["Here: ", [0xf0, 0x9f, 0x98], [0x81, 0x20], "and\t", "tabs"],
        reasons: { 3: "straddles" },
      },
    ], [{
      code: "straddling-token",
      detail:
        `Token 17, "and\\t", covers an edge of what is trained: it is excluded`,
      tokens: [17, 18],
    }]),
    chatRow([
      system,
      { role: "user", content: "Only¦ the¦ last¦ turn¦ counts¦." },
      { role: "assistant", content: "This¦ one¦ does¦ not¦.", train: false },
      { role: "tool", content: '{"¦temperature¦":¦ ¦21¦}' },
      {
        role: "assistant",
        content: "It¦ is¦ 2¦1¦ degrees",
        open: true,
      },
    ], [{
      code: "stop-not-trained",
      message: 4,
      detail: 'The answer ends without "<|im_end|>"',
    }]),
    chatRow([
      { role: "user", content: "Nobody¦ answers¦." },
      { role: "critic", content: "Quite¦." },
    ], [
      { code: "role-not-trained", detail: "No message is of a trained role" },
      { code: "nothing-trained", detail: "No token is trained" },
    ]),
    chatRow([
      { role: "user", content: HOSTILE.flatMap((text) => chop(text, 9)) },
      { role: "<b>assistant</b>", content: "Un¦known", train: true },
      { role: "assistant", content: HOSTILE.flatMap((text) => chop(text, 5)) },
    ], [{
      code: "control-text",
      message: 0,
      detail: `Message 0 holds ${HOSTILE[0]} and \x1b[31m`,
      tokens: [3, 5],
    }]),
  ].map((row, i) => ({ line: i + 1, row }));
}
