// The program, coloured a little; a line belongs to a part of the picture, and lights up with it.
import { h } from "../shared/dom";
import type { Line } from "./contract";

const TOKENS =
  /(?<comment>#.*)|(?<keyword>\b(?:import|from|as|def|return|for|in)\b)|(?<number>(?<![\w.])\d[\d.]*(?:e-?\d+)?)|(?<call>\b\w+(?=\())/g;

export function codeView() {
  const element = h("div", { class: "lt-code", tabindex: 0, role: "region" });
  let before: string[] | null = null;

  function draw(lines: Line[], name: string): void {
    element.setAttribute("aria-label", name);
    const texts = lines.map(([text]) => text);
    if (before?.join("\n") === texts.join("\n")) return;
    const known = before && new Set(before);
    before = texts;
    let block = h("pre");
    const blocks = [block];
    for (const [text, part] of lines) {
      if (!text && blocks.length < 40) {
        block = h("pre");
        blocks.push(block);
        continue;
      }
      const line = h("code", { "data-part": part || null }, ...coloured(text));
      if (known && !known.has(text)) line.classList.add("lt-new");
      block.append(line);
    }
    element.replaceChildren(...blocks);
  }

  return { element, draw };
}

function coloured(text: string): (Node | string)[] {
  const pieces: (Node | string)[] = [];
  let end = 0;
  for (const match of text.matchAll(TOKENS)) {
    pieces.push(text.slice(end, match.index));
    const kind = Object.entries(match.groups ?? {}).find(([, found]) => found !== undefined)?.[0];
    pieces.push(h("span", { class: `lt-code-${kind}` }, match[0]));
    end = match.index + match[0].length;
  }
  pieces.push(text.slice(end));
  return pieces;
}
