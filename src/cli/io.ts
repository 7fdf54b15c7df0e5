/**
 * The world as a command sees it: three streams, and a word before it is ended.
 * Commands get it handed in, so a test can be the world.
 *
 * Nothing here asks for a permission in Deno: of the environment only NO_COLOR
 * and FORCE_COLOR are read, which are free.
 *
 * @module
 */
import process from "node:process";
import { fileReason, PipeClosed, UsageError } from "./errors.ts";

/** Where a command writes. */
export interface Output {
  /** Writes, and waits until it is taken; throws {@link PipeClosed} where nobody reads any more, {@link UsageError} where it cannot be written. */
  write(data: string | Uint8Array): Promise<void>;
  /** Whether somebody looks at it. */
  readonly isTerminal: boolean;
  /** How wide the terminal is; undefined where it is none. */
  readonly columns: number | undefined;
  /** Whether colours are wanted. */
  readonly color: boolean;
}

/** What a command works with. */
export interface CliIo {
  /** What `-` reads. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** Data. */
  readonly stdout: Output;
  /** Everything else: progress, warnings, errors. */
  readonly stderr: Output;
  /** Has `cleanup` run, quickly and at once, should the process be told to end; returns what takes that back. */
  onInterrupt(cleanup: () => void): () => void;
}

interface Stream {
  write(
    data: string | Uint8Array,
    done: (error?: (Error & { code?: string }) | null) => void,
  ): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

class StreamOutput implements Output {
  readonly #stream: Stream;
  readonly #name: string;
  readonly isTerminal: boolean;
  readonly color: boolean;

  constructor(stream: Stream, name: string) {
    this.#stream = stream;
    this.#name = name;
    this.isTerminal = stream.isTTY === true;
    this.color = wantsColor(this.isTerminal);
    // each write hears of its own failure; unheard, the event would end the process
    stream.on("error", () => {});
  }

  get columns(): number | undefined {
    return this.isTerminal ? this.#stream.columns : undefined;
  }

  write(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error & { code?: string }) => {
        const words = `cannot write ${this.#name}: ${fileReason(error)}`;
        reject(
          error.code === "EPIPE" ? new PipeClosed() : new UsageError(words),
        );
      };
      try {
        this.#stream.write(data, (error) => error ? fail(error) : resolve());
      } catch (error) {
        fail(error as Error); // Deno throws where the output is a file
      }
    });
  }
}

/** NO_COLOR (no-color.org) before FORCE_COLOR before the terminal. */
function wantsColor(isTerminal: boolean): boolean {
  if (variable("NO_COLOR") !== "") return false;
  const force = variable("FORCE_COLOR");
  return force === "" ? isTerminal : force !== "0" && force !== "false";
}

function variable(name: "NO_COLOR" | "FORCE_COLOR"): string {
  try {
    return process.env[name] ?? "";
  } catch {
    return ""; // it may not be read here
  }
}

/** Signals that end a process, with their numbers. */
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

/** The streams of this process, and its signals. */
export function processIo(): CliIo {
  const cleanups = new Set<() => void>();
  let isListening = false;
  const listen = () => {
    isListening = true;
    for (const [name, number] of Object.entries(SIGNALS)) {
      process.on(name as keyof typeof SIGNALS, () => {
        for (const cleanup of cleanups) cleanup();
        if (process.stderr.isTTY) process.stderr.write("\n"); // behind ^C
        process.exit(128 + number);
      });
    }
  };
  return {
    get stdin() {
      return process.stdin as AsyncIterable<Uint8Array>;
    },
    stdout: new StreamOutput(process.stdout as Stream, "standard output"),
    stderr: new StreamOutput(process.stderr as Stream, "standard error"),
    onInterrupt: (cleanup) => {
      cleanups.add(cleanup);
      if (!isListening) listen();
      return () => void cleanups.delete(cleanup);
    },
  };
}

/** Lets the event loop turn once in a while, so that signals arrive during long work. */
export function createBreath(milliseconds = 50): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < milliseconds) return;
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
