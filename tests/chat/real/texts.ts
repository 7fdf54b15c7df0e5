/**
 * The texts on which tokenizers are held against their native twins, all
 * written for this project: everyday ones, and those that break offsets. Their
 * ids and byte offsets stand in `tests/vectors/offsets.jsonl`.
 *
 * Nothing here knows a tokenizer: the control tokens of all families stand in
 * every file of control text, and to most tokenizers they are plain words.
 *
 * @module
 */

const CODE = {
  typescript: `export function runs<T>(list: readonly T[]): [T, number][] {
  const out: [T, number][] = [];
  for (const item of list) {
    const last = out.at(-1);
    if (last?.[0] === item) last[1]++; // the same again
    else out.push([item, 1]);
  }
  return out;
}
`,
  python: `class Stack:
    """Last in, first out."""

    def __init__(self, *items):
        self._items = list(items)

    def pop(self):
\tif not self._items:
\t\traise IndexError(f"empty: {self!r}")
        return self._items.pop()


if __name__ == '__main__':
    assert Stack(1, 2).pop() == 2
`,
  json:
    '{"name": "weather_at", "arguments": {"city": "K\\u00f6ln", "days": [1, 2, 3], "unit": null}}',
  html: '<div class="a">\n  <p>One &amp; <em>two</em><br/></p>\n</div>\n',
  shell: "find . -name '*.md' -print0 | xargs -0 wc -l >> /dev/null 2>&1 || :",
  math: "∑ᵢ xᵢ² ≤ ‖x‖₂ · √n, ∀x ∈ ℝⁿ; $\\frac{1}{2}$ ≠ ½",
};

const PROSE = {
  english:
    "It's late, and they've gone home. \"We'll see,\" she said; I'd rather wait. DON'T SHOUT!",
  german:
    "Übermäßige Höflichkeit wäre hier fehl am Platz, größtenteils jedenfalls.",
  french: "L’été dernier, où étiez-vous ? À l’œuvre, hélas…",
  chinese: "海水为什么是咸的？因为河流把岩石里的盐带进了大海。",
  japanese: "吾輩は「ネコ」である。名前は、まだ無いッ！ｶﾅも、ー。",
  korean: "바람이 불면 나뭇잎이 흔들립니다. 왜 그럴까요?",
  russian: "Съешь ещё этих мягких булок, да выпей чаю — и спать.",
  arabic: "القطة نائمة على السّرير، ولا تريد أن تستيقظ اليوم.",
  hebrew: "שָׁלוֹם, מה שלומך היום? הכול בסדר.",
  hindi: "बिल्ली चटाई पर बैठी है और बाहर बारिश हो रही है।",
  tamil: "மழை பெய்கிறது, குடை எங்கே?",
  thai: "แมวนั่งอยู่บนเสื่อและฝนกำลังตก",
  greek: "Τι είναι η αλήθεια; ρώτησε ο φιλόσοφος.",
  mixed: "Привет, world! 你好 123 مرحبا naïve façade Ĳssel ſtill ŉ ǆ",
};

const EMOJI = {
  plain: "😀 😃😄 🎉! ok👍 done 🚀🚀🚀",
  tones: "👍🏽👩🏿‍🚀 🤷🏻‍♂️",
  family: "👨‍👩‍👧‍👦 and 👩‍❤️‍💋‍👨, 🏳️‍🌈🏴‍☠️",
  flags: "🇩🇪🇯🇵🇧🇷 🏴󠁧󠁢󠁳󠁣󠁴󠁿",
  keycaps: "1️⃣ #️⃣ ☎️ ☎︎ ❤ ❤️",
  astral: "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𐍈 𒀀 𓂀 𠀋 𝟘𝟙 🂡 \u{10ffff}",
  ending: "Well done 🥳",
};

const MARKS = {
  decomposed: "e\u0301te\u0301 nai\u0308ve A\u030angstro\u0308m",
  composed: "été naïve Ångström",
  vietnamese:
    "Tie\u0302\u0301ng Vie\u0323\u0302t, Tiếng Việt, tie\u0301\u0302ng",
  jamo:
    "\u1112\u1161\u11ab\u1100\u1173\u11af \u1100\u1161 \u3131\u314f \uac00\u11a8",
  order: "a\u0315\u0300\u05ae\u0062 a\u05ae\u0300\u0315b q\u0307\u0323",
  singletons:
    "\u212b \u212a \u2126 \u037e \u1fef \u2001 \u2329x\u232a \u0340\u0341",
  excluded: "\u0958 \ufb2a \u2adc \u{1d15e} שׁ \ufb1d",
  hebrew: "ש\u05bc\u05c1 ש\u05c1\u05bc ב\u05bcר\u05b5",
  stacked:
    "Z\u0351\u036b\u0343\u0323\u034e\u0355A\u033a\u0314\u0363L\u0489\u0337G\u0321\u0308",
  lonely: "\u0301 \u0308x \n\u0338 (\u20dd) \u200d\u0301",
  after_control: "<|im_end|>\u0338 </s>\u0338x <bos>\u0301 <|eot_id|>\u0338",
  compat: "ﬁ ﬀ ² ㎏ ｆｕｌｌ １２３ Ⅷ ½ ™ ﷺ",
};

const SPACES = {
  one: " ",
  two: "  ",
  leading: " a",
  leading_two: "  a",
  leading_three: "   a",
  trailing: "a ",
  trailing_many: "a      ",
  between: "a b  c   d    e     f      g       h",
  long: `x${" ".repeat(31)}y${" ".repeat(32)}z${" ".repeat(70)}.`,
  newline: "\n",
  newlines: "a\nb\n\nc\n\n\nd\n\n\n\n\n\ne",
  returns: "a\r\nb\r\n\r\nc\rd\n\r",
  tabs: "\ta\t\tb\t \tc \t d\t\t\t\t\te",
  mixed: " \n \n  a \t\n\n\t b\n  \n",
  only: " \n\t  \r\n ",
  exotic:
    "a\u00a0b \u00a0 c\u3000d\u2003 e\u2028f\u2029g\u0085h\u1680i\u202fj\u205fk",
  zero_width: "a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg",
  bom: "\ufeffhello",
  vertical: "a\vb\fc\x1cd\x1ee",
};

const CONTROL = {
  chatml:
    "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\nHello 😊<|im_end|>\n",
  llama3:
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n  Hello 😊<|eot_id|>",
  llama2:
    "<s>[INST] <<SYS>>\nBe brief.\n<</SYS>>\n\nHi! [/INST] Hello 😊 </s><s>[INST] Again? [/INST] {no} </s>",
  gemma:
    "<bos><start_of_turn>user\nHi!<end_of_turn>\n<start_of_turn>model\nHello 😊<end_of_turn>\n",
  deepseek:
    "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hi!<｜Assistant｜>Hello 😊<｜end▁of▁sentence｜><｜User｜> Again? <｜Assistant｜>",
  phi3:
    "<|user|>\nHi!<|end|>\n<|assistant|>\n Hello 😊<|end|>\n\n  <|endoftext|>",
  tool:
    '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call><|eom_id|><tool_response>\n3\n</tool_response>',
  spaced:
    " <s> a </s>  b<s>c   <|im_end|>  d <|eot_id|> e<eos> f <bos>  <|end|>  g <|mid|>  h  <|mid|> ",
  adjacent:
    "<s><s></s></s><|im_end|><|im_end|><eos><eos><|eot_id|><|eot_id|><|end|><|end|><|mid|><|mid|>",
  lines: "\n<|im_end|>\n</s>\n\n<end_of_turn>\n<|end|>\n<|mid|>\n",
  wide: "a\u00a0<|mid|>\u00a0b\u3000<|end|>\u3000c\u2028<|mid|>\u2028d",
  near:
    "<|im_end| > <|im_start <<|im_end|>> <|IM_END|> <| im_end |> < s> <s </s / <|im_<|im_end|>end|>",
  words: "x<|word|>y <|word|> z (<|word|>)",
  normal: "a<|norm|>b <|norm|> c\n<|norm|>  <|norm|>",
};

const ODD = {
  empty: "",
  digits: "0 7 42 123 1234 12345 1234567890 3.14159 1,000,000 0x1F 1e-9 v2.0.1",
  numerals: "٠١٢٣ १२३ ๑๒๓ ⅔ ① Ⅻ 一二三 𝟏𝟐",
  long_word: "a".repeat(300) + " " + "ab".repeat(130) + "Ω".repeat(40),
  long_url:
    "https://example.org/a/very/long/path?with=many&query=parameters&id=0123456789abcdef0123456789abcdef#and-a-fragment",
  compound:
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
  repeated: "=".repeat(70) + "-".repeat(33) + "_".repeat(17) + "*".repeat(9),
  ones: "!?!?…。，、·•—–‘’“”«»¿¡§¶†‡",
  control_bytes: "\0a\x01\x02 \x07\x08\x1b[0m\x7f\x80\x9f",
  replacement: "a\ufffdb \ufffe\uffff \ufffc",
  private: "\ue000\ue001\uf8ff \u{f0000}\u{10fffd}",
  byte_names: "<0x0A> <0xFF> <0x20><unk> <pad>",
  alphabet: "Ġa Ċb ĉ Ń ł ▁a ▁ ▁▁ a▁b ##c</w>",
  surrogates: "a\ud83d b\ude00 \ud83d",
  ligature: "q\u0308 ǰ ẖ İ ı ẞ ß ŉ",
  unassigned: "\u0378 \u{1fadf} \u{e0100} \u{2fffe}",
};

/** The texts by name, `group/name`. */
export const TEXTS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries({
    code: CODE,
    prose: PROSE,
    emoji: EMOJI,
    marks: MARKS,
    spaces: SPACES,
    control: CONTROL,
    odd: ODD,
  }).flatMap(([group, texts]) =>
    Object.entries(texts).map(([name, text]) => [`${group}/${name}`, text])
  ),
);

/** Whether a tokenizer's variant, `package+what`, has something to say about a text. */
export function isFor(text: string, tokenizer: string): boolean {
  return !tokenizer.includes("+") ||
    /^(spaces|control|marks|odd\/(empty|alphabet|byte_names|surrogates))/
      .test(text);
}
