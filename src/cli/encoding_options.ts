/**
 * From a command line to how chats are read and encoded: which tokenizer, which
 * template, what is trained.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import type { ConversationOptions } from "../formats/mod.ts";
import type { EncodingSettings } from "./encoding.ts";
import { fileReason, oneLine, UsageError } from "./errors.ts";
import { type Args, type OptionGroup, quote } from "./options.ts";

/** Which model the rows are for. */
export const MODEL_OPTIONS: OptionGroup = {
  title: "Model",
  options: {
    tokenizer: {
      value: "DIR",
      help: "the folder with tokenizer.json and tokenizer_config.json",
    },
    "chat-template": {
      value: "FILE",
      help: "a Jinja file, where it is not the tokenizer's own template",
    },
    "template-option": {
      value: "KEY=JSON",
      repeat: true,
      help: "a variable for the template, such as enable_thinking=false",
    },
    date: {
      value: "YYYY-MM-DD",
      help: "what the template's clock says (default: today, and a finding " +
        "where the template looks)",
    },
  },
};

/** How a file of chats is read. */
export const READING_OPTIONS: OptionGroup = {
  title: "Reading",
  options: {
    shape: {
      value: "SHAPE",
      help: "messages, sharegpt or prompt (default auto: by the columns)",
    },
    "tool-arguments": {
      value: "HOW",
      help: "what becomes of a tool call's arguments that are JSON text: " +
        "parse (default) or keep",
    },
  },
};

/** What is trained. */
export const POLICY_OPTIONS: OptionGroup = {
  title: "What is trained",
  options: {
    "train-roles": {
      value: "ROLES",
      help: "roles whose messages are trained, with commas (default assistant)",
    },
    "last-turn-only": { help: "train the last trained turn alone" },
    "no-end-of-turn": { help: "do not train the stop of an answer" },
    "train-whitespace": { help: "train the whitespace behind the stop" },
    "role-header": { help: "train the header that opens an answer" },
    "think-opening": {
      help: "train a think opening that the prompt already shows",
    },
    "no-tool-calls": { help: "do not train the calls of tools" },
    "end-of-text": {
      help: "train an end-of-text behind the last stop",
    },
    straddling: {
      value: "HOW",
      help: "tokens over an edge of what is trained: exclude (default), " +
        "include or error",
    },
    "control-text": {
      value: "HOW",
      help: "special tokens typed in a message: report (default), neutralise " +
        "or error",
    },
    "no-generation-tags": {
      help: "leave the template's own generation tags out of account",
    },
    split: {
      value: "WHEN",
      help: "one row per answer: auto (default: where the template rewrites " +
        "history), never or always",
    },
  },
};

/** Reads how a file of chats is read. */
export function readReading(args: Args): ConversationOptions {
  return {
    shape: args.word("shape", ["auto", "messages", "sharegpt", "prompt"]) ??
      "auto",
    toolArguments: args.word("tool-arguments", ["parse", "keep"]) ?? "parse",
  };
}

/** Reads what rows are encoded with. */
export function readEncoding(args: Args): EncodingSettings {
  const tokenizer = args.required(
    "tokenizer",
    "a folder with tokenizer.json and tokenizer_config.json",
  );
  const template = args.text("chat-template");
  const date = args.text("date");
  const roles = args.text("train-roles")?.split(",").map((role) => role.trim());
  if (roles?.some((role) => role === "")) {
    throw new UsageError("--train-roles must be names with commas between");
  }
  return {
    tokenizer,
    ...(template === undefined
      ? {}
      : { chatTemplate: readText("--chat-template", template) }),
    ...(date === undefined ? {} : { date: readDate(date) }),
    templateOptions: readVariables(args.texts("template-option")),
    split: args.word("split", ["auto", "never", "always"]) ?? "auto",
    policy: {
      ...(roles === undefined ? {} : { roles }),
      lastTurnOnly: args.has("last-turn-only"),
      endOfTurn: !args.has("no-end-of-turn"),
      whitespaceAfterEnd: args.has("train-whitespace"),
      roleHeader: args.has("role-header"),
      thinkOpening: args.has("think-opening"),
      toolCalls: !args.has("no-tool-calls"),
      endOfText: args.has("end-of-text"),
      straddling: args.word("straddling", ["exclude", "include", "error"]) ??
        "exclude",
      controlText:
        args.word("control-text", ["report", "neutralise", "error"]) ??
          "report",
      generationTags: !args.has("no-generation-tags"),
    },
  };
}

/** A small file's text. */
function readText(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(
      `cannot read ${option} ${oneLine(path)}: ${fileReason(error)}`,
    );
  }
}

function readDate(text: string): Date {
  const date = new Date(`${text}T00:00:00Z`);
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text) &&
    !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
  if (isDay) return date;
  throw new UsageError(`--date must be a day, YYYY-MM-DD: got ${quote(text)}`);
}

function readVariables(texts: readonly string[]): Record<string, unknown> {
  const entries = texts.map((text): [string, unknown] => {
    const [, key, json] = /^([A-Za-z_]\w*)=(.*)$/s.exec(text) ?? [];
    if (key === undefined) {
      throw new UsageError(
        `--template-option must be KEY=JSON: got ${quote(text)}`,
      );
    }
    try {
      return [key, JSON.parse(json!)];
    } catch {
      throw new UsageError(
        `--template-option ${key} must be JSON, a text in double quotes: got ${
          quote(json!)
        }`,
      );
    }
  });
  return Object.fromEntries(entries);
}
