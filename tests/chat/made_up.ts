/**
 * Made-up chat templates, each with the trait of a family of real ones. None is
 * copied from a model; what matters is where headers, stops, trims and thoughts
 * stand.
 *
 * @module
 */

/** Every turn has a header and a stop of one shape. */
export const CHATML: string = "{% for m in messages %}" +
  "<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** Its special tokens. */
export const CHATML_SPECIAL: readonly string[] = ["<|im_start|>", "<|im_end|>"];

/** The question's end opens the answer, the sequence's end stops it; roles must alternate. */
export const LLAMA: string =
  "{{ bos_token }}{% if messages[0].role == 'system' %}" +
  "{% set system = '<<SYS>>\n' + messages[0].content + '\n<</SYS>>\n\n' %}" +
  "{% set rest = messages[1:] %}{% else %}{% set system = '' %}" +
  "{% set rest = messages %}{% endif %}{% for m in rest %}" +
  "{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}" +
  "{{ raise_exception('Roles must alternate') }}{% endif %}" +
  "{% if m.role == 'user' %}[INST] {{ (system if loop.first else '') + m.content }} [/INST]" +
  "{% else %}{{ ' ' + m.content + ' ' + eos_token }}{% endif %}{% endfor %}";

/** Its special tokens. */
export const LLAMA_SPECIAL: readonly string[] = ["<s>", "</s>"];

/** Contents are trimmed, the assistant is called model, a system message is refused. */
export const GEMMA: string = "{{ bos_token }}{% for m in messages %}" +
  "{% if m.role == 'system' %}{{ raise_exception('System role not supported') }}" +
  "{% endif %}<start_of_turn>" +
  "{{ 'model' if m.role == 'assistant' else m.role }}\n" +
  "{{ m.content | trim }}<end_of_turn>\n{% endfor %}" +
  "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}";

/** Its special tokens. */
export const GEMMA_SPECIAL: readonly string[] = [
  "<bos>",
  "<start_of_turn>",
  "<end_of_turn>",
];

/** An answer has no stop of its own: the next role's tag ends it. */
export const GLM: string =
  "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}" +
  "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}";

/** Its special tokens. */
export const GLM_SPECIAL: readonly string[] = [
  "<|system|>",
  "<|user|>",
  "<|assistant|>",
];

/** Every chat ends with the generation prompt, asked for or not. */
export const PROMPTING: string = "{% for m in messages %}" +
  "<|h|>{{ m.role }}<|/h|>\n\n{{ m.content | trim }}<|eot|>{% endfor %}" +
  "<|h|>assistant<|/h|>{{ '\n\n' }}";

/** Its special tokens. */
export const PROMPTING_SPECIAL: readonly string[] = [
  "<|h|>",
  "<|/h|>",
  "<|eot|>",
];

/** The generation prompt opens a thought, earlier thoughts are dropped. */
export const THINKING: string = "{{ bos_token }}{% for m in messages %}" +
  "{% if m.role == 'user' %}<|U|>{{ m.content }}{% elif m.role == 'assistant' %}" +
  "{% set content = m.content.split('</think>')[-1] if '</think>' in m.content else m.content %}" +
  "<|A|>{{ content }}<|E|>{% else %}{{ m.content }}{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}<|A|><think>\n{% endif %}";

/** As {@link THINKING}, but the thoughts of every turn stay. */
export const KEPT_THOUGHTS: string = "{% for m in messages %}" +
  "<|{{ m.role }}|>{% if m.role == 'assistant' %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}" +
  "{{ m.content }}<|E|>{% endfor %}" +
  "{% if add_generation_prompt %}<|assistant|><think>\n{% endif %}";

/** Special tokens of both. */
export const THINKING_SPECIAL: readonly string[] = [
  "<s>",
  "<|U|>",
  "<|A|>",
  "<|E|>",
  "<|user|>",
  "<|assistant|>",
];

/** Behind the last answer stands an end of text, as in Phi 3. */
export const TRAILER: string = "{% for m in messages %}<|{{ m.role }}|>\n" +
  "{{ m.content }}<|end|>\n{% endfor %}" +
  "{% if add_generation_prompt %}<|assistant|>\n{% else %}{{ eos_token }}{% endif %}";

/** Its special tokens. */
export const TRAILER_SPECIAL: readonly string[] = [
  "<|system|>",
  "<|user|>",
  "<|assistant|>",
  "<|end|>",
  "<|endoftext|>",
];

/** The last answer stops with another token than those before it, as in gpt-oss. */
export const OTHER_LAST: string =
  "{% for m in messages %}<|start|>{{ m.role }}" +
  "<|message|>{{ m.content }}" +
  "{% if loop.last and m.role == 'assistant' and not add_generation_prompt %}<|return|>{% else %}<|end|>{% endif %}" +
  "{% endfor %}{% if add_generation_prompt %}<|start|>assistant{% endif %}";

/** Its special tokens. */
export const OTHER_LAST_SPECIAL: readonly string[] = [
  "<|start|>",
  "<|message|>",
  "<|end|>",
  "<|return|>",
];

/** Calls of tools, results as turns of the user, ChatML otherwise; as in Qwen. */
export const TOOLS: string = "{% for m in messages %}" +
  "{% if m.role == 'tool' %}<|im_start|>user\n<tool_response>\n{{ m.content }}\n</tool_response><|im_end|>\n" +
  "{% else %}<|im_start|>{{ m.role }}\n{{ m.content or '' }}" +
  "{% for c in m.tool_calls or [] %}{{ '\n' if m.content or not loop.first }}" +
  '<tool_call>\n{"name": "{{ c.function.name }}", "arguments": ' +
  "{% if c.function.arguments is string %}{{ c.function.arguments }}{% else %}{{ c.function.arguments | tojson }}{% endif %}" +
  "}\n</tool_call>{% endfor %}<|im_end|>\n{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** A turn that calls stops otherwise than one that answers, as in Llama 3.1 and GLM 4. */
export const CALL_STOP: string = "{% for m in messages %}<|{{ m.role }}|>" +
  "{% if m.tool_calls %}" +
  "{{ m.tool_calls[0].function.name }}({{ m.tool_calls[0].function.arguments | tojson }})<|eom|>" +
  "{% else %}{{ m.content }}<|eot|>{% endif %}{% endfor %}" +
  "{% if add_generation_prompt %}<|assistant|>{% endif %}";

/** Its special tokens. */
export const CALL_STOP_SPECIAL: readonly string[] = [
  "<|user|>",
  "<|assistant|>",
  "<|tool|>",
  "<|eom|>",
  "<|eot|>",
];

/** ChatML with the tags that say what is trained. */
export const TAGGED: string =
  "{% for m in messages %}<|im_start|>{{ m.role }}\n" +
  "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}<|im_end|>{% endgeneration %}" +
  "{% else %}{{ m.content }}<|im_end|>{% endif %}{{ '\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
