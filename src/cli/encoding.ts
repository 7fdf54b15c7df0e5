/**
 * An encoder of chats from settings that are plain data, so that a worker can
 * be sent them and make the same one.
 *
 * @module
 */
import { statSync } from "node:fs";
import {
  type ChatPolicy,
  ChatTemplateError,
  type ChatTokenizer,
  type Conversation,
  encodeChatRows,
  type EncodedChat,
  readTokenizerFolder,
  type SplitOptions,
} from "../chat/mod.ts";
import { DataError, fileReason, oneLine, UsageError } from "./errors.ts";

/** What rows are read and encoded with; it survives `postMessage`. */
export interface EncodingSettings {
  /** The tokenizer's folder. */
  readonly tokenizer: string;
  /** The chat template's text, where it is not the tokenizer's own. */
  readonly chatTemplate?: string;
  /** What the template's clock says. */
  readonly date?: Date;
  /** The template's further variables. */
  readonly templateOptions: Readonly<Record<string, unknown>>;
  /** What is trained. */
  readonly policy: ChatPolicy;
  /** When a chat becomes several rows. */
  readonly split: NonNullable<SplitOptions["split"]>;
}

/** Loads a tokenizer from its folder. */
export function loadTokenizerFolder(folder: string): ChatTokenizer {
  const wish = `--tokenizer ${oneLine(folder)}`;
  for (const name of ["", "tokenizer.json", "tokenizer_config.json"]) {
    let isThere: boolean;
    try {
      const stat = statSync(name === "" ? folder : `${folder}/${name}`);
      isThere = name === "" ? stat.isDirectory() : stat.isFile();
    } catch (error) {
      const reason = fileReason(error);
      throw new UsageError(
        name === ""
          ? `cannot read ${wish}: ${
            reason.replace("no such file", "no such folder")
          }`
          : `${wish} has no ${name} that can be read: ${reason}`,
      );
    }
    if (isThere) continue;
    throw new UsageError(
      name === ""
        ? `${wish} must be a folder with tokenizer.json and tokenizer_config.json`
        : `${wish} has no file ${name}`,
    );
  }
  try {
    return readTokenizerFolder(folder);
  } catch (error) {
    throw new DataError(`${wish} cannot be used: ${fileReason(error)}`);
  }
}

/** A chat that is stopped at a limit costs a second, so a template that ends for none of the first chats is given up. */
const MOST_ENDLESS = 4;

/** What encodes chats. */
export interface Encoder {
  /** The tokenizer. */
  readonly tokenizer: ChatTokenizer;
  /** The rows of a conversation. */
  encode(conversation: Conversation): EncodedChat[];
}

/** Makes the encoder that settings describe. */
export function createEncoder(settings: EncodingSettings): Encoder {
  const tokenizer = loadTokenizerFolder(settings.tokenizer);
  const { chatTemplate, date, templateOptions, policy, split } = settings;
  if (chatTemplate === undefined && tokenizer.chatTemplate === undefined) {
    throw new UsageError(
      `the tokenizer of ${
        oneLine(settings.tokenizer)
      } has no chat template: give --chat-template FILE`,
    );
  }
  const options = {
    tokenizer,
    templateOptions,
    policy,
    split,
    ...(chatTemplate === undefined ? {} : { chatTemplate }),
    ...(date === undefined ? {} : { date }),
  };
  let endless = 0; // chats stopped at a limit, while no other was seen
  return {
    tokenizer,
    encode({ messages, tools }) {
      try {
        const rows = encodeChatRows(messages, {
          ...options,
          ...(tools === undefined ? {} : { tools }),
        });
        endless = -Infinity;
        return rows;
      } catch (error) {
        const isStopped = error instanceof ChatTemplateError &&
          error.reason === "limit";
        if (!isStopped) endless = -Infinity;
        else if (++endless === MOST_ENDLESS) {
          throw new DataError(
            `the chat template does not end: each of the first ${MOST_ENDLESS} ` +
              `chats was stopped. ${oneLine(error.message)}`,
          );
        }
        throw error;
      }
    },
  };
}

/** The id that padding may have: padding is known by where it is, so any will do. */
export function padIdOf(tokenizer: ChatTokenizer): number {
  return tokenizer.addedId(tokenizer.eosToken) ?? 0;
}

/** Why a conversation became no row. */
export interface Refusal {
  /** Where it stands in its file. */
  readonly line: number;
  /** The kind of refusal, as the errors name it; `"not readable"` for a line that is no conversation. */
  readonly reason: string;
  /** In words. */
  readonly message: string;
}

/** A conversation's rows, or why it has none. */
export function tryEncode(
  { encode }: Encoder,
  conversation: Conversation,
):
  | { rows: EncodedChat[]; refusal?: undefined }
  | { rows?: undefined; refusal: Refusal } {
  const { line } = conversation;
  try {
    return { rows: encode(conversation) };
  } catch (error) {
    if (!(error instanceof Error) || error instanceof DataError) throw error;
    const reason = error instanceof ChatTemplateError
      ? error.reason
      : error.message.includes("call stack")
      ? "limit"
      : "conversation";
    return { refusal: { line, reason, message: oneLine(error.message) } };
  }
}
