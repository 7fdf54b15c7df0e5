/**
 * What a row is: token ids, which of them are trained, and for a chat who said
 * each token and why it is or is not trained. Packing lays rows out, formats
 * store them, the report shows them, `./chat` makes them; so the words stand
 * here, below all of them. Nothing here computes.
 *
 * @module
 */
import type { TokenIds, TokenSpan } from "./contract.ts";

/** One part of a message whose content is a list, as in the OpenAI chat format. */
export interface ContentPart {
  /** `"text"`, or what else the template knows. */
  readonly type: string;
  /** The words of a `"text"` part. */
  readonly text?: string;
  /** Whatever else the part carries. */
  readonly [field: string]: unknown;
}

/** A call of a tool, as in the OpenAI chat format. */
export interface ToolCall {
  /** `"function"`. */
  readonly type?: string;
  /** What is called, and with what: an object, or the JSON text of one. */
  readonly function: {
    readonly name: string;
    readonly arguments?: unknown;
    readonly [field: string]: unknown;
  };
  /** `id` and whatever else the call carries. */
  readonly [field: string]: unknown;
}

/**
 * One message of a chat. The template sees it as it is, but for `train` and
 * `weight`, which are ours.
 */
export interface ChatMessage {
  /** Who speaks: `"system"`, `"user"`, `"assistant"`, `"tool"`, or a role of the template's own. */
  readonly role: string;
  /** What is said. */
  readonly content?: string | readonly ContentPart[] | null;
  /** What a reasoning model thought before it answered. */
  readonly reasoning_content?: string | null;
  /** The tools that an assistant turn calls, in order. */
  readonly tool_calls?: readonly ToolCall[] | null;
  /** Whether this message is trained; goes before the policy's roles. */
  readonly train?: boolean;
  /** The weight of each of its trained tokens in the loss (finite; 1 unless said). */
  readonly weight?: number;
  /** `name`, `tool_call_id` and whatever else the template reads. */
  readonly [field: string]: unknown;
}

/** One conversation of a file. */
export interface Conversation {
  /** Where it stands in its file, the first being 1: a line of JSONL, or an element of a JSON list. */
  readonly line: number;
  /** The shape it had in the file. */
  readonly shape: "messages" | "sharegpt" | "prompt";
  /** The turns in order, the system prompt first where there is one. */
  readonly messages: readonly ChatMessage[];
  /** Function signatures, handed to the template as they are. */
  readonly tools?: readonly unknown[];
}

/** What packing and collation take. */
export interface Sample {
  /** [N] token ids. */
  readonly inputIds: TokenIds;
  /** [N] labels aligned with the ids; made from `spans`, or, where there are none, equal to the ids. */
  readonly labels?: TokenIds;
  /** [N] loss weights aligned with the labels. */
  readonly weights?: ArrayLike<number>;
  /** The trained spans, in the sample's own positions. */
  readonly spans?: readonly TokenSpan[];
}

/**
 * What a stretch of text is, beside whose it is. `"header"` opens a turn,
 * `"end_of_turn"` closes it, `"template"` is whatever else the template wrote.
 */
export const FIELDS = [
  "template",
  "header",
  "content",
  "reasoning_content",
  "tool_calls",
  "end_of_turn",
] as const;

/** One of {@link FIELDS}. */
export type Field = typeof FIELDS[number];

/** Why a token is or is not trained; the first ones are trained. */
export const REASONS = [
  "answer", // what a trained message says
  "end_of_turn", // the stop by which it learns to end
  "header_trained", // the policy asks for the role header
  "whitespace_trained", // the policy asks for the whitespace behind the stop
  "role_not_trained", // said by a role the policy does not train
  "turn_not_trained", // an earlier turn under last-turn-only, or train: false
  "header", // opens a turn
  "template", // written by the template between turns
  "call_not_trained", // a tool call, where the policy leaves calls out
  "think_opening", // the generation prompt already contains it
  "stop_not_trained", // the policy leaves the end of turn out
  "whitespace_after_stop", // the newline behind the stop
  "straddles", // the token covers an edge of what is trained
  "zero_weight", // trained in name, but its weight is 0
] as const;

/** One of {@link REASONS}. */
export type Reason = typeof REASONS[number];

/** Each reason in a few words, as the end of "trained: ..." or "not trained: ...". */
export const REASON_WORDS: Readonly<Record<Reason, string>> = {
  answer: "what a trained message says",
  end_of_turn: "the stop by which it learns to end",
  header_trained: "the role header, which the policy trains",
  whitespace_trained: "whitespace behind the stop, which the policy trains",
  role_not_trained: "its role is not trained",
  turn_not_trained: "this turn is not trained",
  header: "opens a turn",
  template: "written by the template",
  call_not_trained: "a tool call, and the policy leaves calls out",
  think_opening: "the generation prompt already contains it",
  stop_not_trained: "the policy leaves the end of turn out",
  whitespace_after_stop: "whitespace behind the stop",
  straddles: "covers an edge of what is trained",
  zero_weight: "its weight is 0",
};

/** How many of {@link REASONS}, from the first, mean that a token is trained. */
export const TRAINED_REASONS = 4;

/** A half-open span of tokens that says whose it is. A {@link TokenSpan} too. */
export type OwnedSpan = TokenSpan & {
  /** The message's index in the conversation. */
  readonly message: number;
  /** Which of its fields. */
  readonly field: Field;
};

/** What can be odd about a row. */
export type FindingCode =
  | "answer-not-trained" // of a row from elsewhere: some answers are trained, others are not
  | "answer-partly-trained" // of a row from elsewhere: words of an answer are left out
  | "clock-read" // the text holds the day of the call
  | "content-dropped" // the template left a message, or part of one, out
  | "content-trimmed" // the template cut whitespace from the edges
  | "control-text" // text in a message became a special token
  | "double-bos" // the row begins with two of them
  | "everything-trained" // of a row from elsewhere: its labels are its ids
  | "field-dropped" // tool_calls, reasoning_content or another field is not in the text
  | "header-trained" // of a row from elsewhere: what opens an answer is trained
  | "history-rewritten" // earlier turns are not what inference would show
  | "marker-absent" // the header or stop the policy needs is not in the text
  | "no-end-of-turn" // the template has no stop to train
  | "nothing-trained" // no token of the row is trained
  | "prompt-trained" // of a row from elsewhere: tokens outside the answers are trained
  | "role-not-trained" // no message of a trained role
  | "stop-not-trained" // a trained turn ends without a trained stop
  | "straddling-token" // a token covers an edge of what is trained
  | "tags-differ" // the template's generation tags mark something else
  | "text-normalised" // the tokenizer's normaliser changed the text
  | "truncated-in-answer" // the cut went through a trained turn
  | "truncated-in-prompt"; // the cut left no trained turn

/** Something about a row that its user should know. */
export interface Finding {
  /** What it is. */
  readonly code: FindingCode;
  /** The message it is about, if it is about one. */
  readonly message?: number;
  /** What was seen, in words. */
  readonly detail: string;
  /** The tokens it is about, if there are any. */
  readonly tokens?: TokenSpan;
}

/** One kept run of a certificate: these tokens are these bytes, said by this message. */
export interface CertifiedRun {
  /** Positions in the row. */
  readonly tokens: TokenSpan;
  /** UTF-8 bytes of the row's text. */
  readonly bytes: TokenSpan;
  /** The message's index. */
  readonly message: number;
  /** Its fields that the run covers, in order, each once. */
  readonly fields: readonly Field[];
  /** The run's text, as decoded from the tokens. */
  readonly text: string;
}

/**
 * Proof that a row trains what it says. For each kept run: the tokens' bytes
 * equal the text's bytes, every byte's owner is allowed by the policy, and the
 * content was found in the message independently of the marks.
 */
export interface Certificate {
  /** The kept runs, in order. They cover exactly the trained tokens. */
  readonly runs: readonly CertifiedRun[];
  /** How many tokens are trained. */
  readonly trainedTokens: number;
  /** How many bytes of the text they are. */
  readonly trainedBytes: number;
  /** How ownership was proved: by the template's own tags, or by marks of a strength. */
  readonly proof: string;
  /** What was checked, each of them true of this row. */
  readonly checked: readonly string[];
}

/** A chat as a row: the ids, what is trained, and everything known of each token. */
export interface EncodedChat extends Sample {
  /** [N] token ids. */
  readonly inputIds: Int32Array;
  /** [N] labels aligned with the ids, -100 where nothing is trained. */
  readonly labels: Int32Array;
  /** [N] loss weights, 0 where nothing is trained. */
  readonly weights: Float64Array;
  /** The rendered text that was tokenised. */
  readonly text: string;
  /** [N] half-open ranges of UTF-8 bytes of `text`. */
  readonly offsets: readonly TokenSpan[];
  /** The trained spans, by message and field. */
  readonly spans: readonly OwnedSpan[];
  /** The proof. */
  readonly certificate: Certificate;
  /** What is odd about the row. */
  readonly findings: readonly Finding[];
  /** [N] whose each token is: an index into the messages, -1 for nobody's. */
  readonly owners: Int32Array;
  /** [N] what each token is: an index into {@link FIELDS}. */
  readonly fields: Uint8Array;
  /** [N] why it is or is not trained: an index into {@link REASONS}. */
  readonly reasons: Uint8Array;
  /** The role of each message. */
  readonly roles: readonly string[];
}
