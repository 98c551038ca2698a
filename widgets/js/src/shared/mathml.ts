// Formulas arrive as MathML text. Only what MathML draws with is let in, whatever the text says.
const NAMESPACE = "http://www.w3.org/1998/Math/MathML";
const TAGS = new Set(
  ("math mrow mi mn mo mtext mspace mfrac msqrt mroot mstyle msub msup msubsup munder mover " +
    "munderover mtable mtr mtd mpadded mphantom menclose mmultiscripts mprescripts none").split(" "),
);
const ATTRIBUTES = new Set(
  ("display mathvariant stretchy fence form separator accent accentunder width height depth lspace " +
    "rspace columnalign columnspacing rowspacing linethickness displaystyle scriptlevel minsize " +
    "maxsize symmetric largeop movablelimits").split(" "),
);

export function formula(mathml: string, latex: string): Element {
  const parsed = new DOMParser().parseFromString(mathml, "application/xml").documentElement;
  const element = parsed.localName === "math" ? clean(parsed) : null;
  if (!element) return Object.assign(document.createElement("code"), { textContent: latex });
  element.setAttribute("display", "block");
  element.setAttribute("aria-label", latex);
  element.setAttribute("role", "math");
  return element;
}

function clean(source: Element): Element | null {
  if (!TAGS.has(source.localName)) return null;
  const copy = document.createElementNS(NAMESPACE, source.localName);
  for (const { name, value } of source.attributes)
    if (ATTRIBUTES.has(name)) copy.setAttribute(name, value);
  for (const child of source.childNodes) {
    if (child instanceof Element) {
      const cleaned = clean(child);
      if (cleaned) copy.append(cleaned);
    } else if (child.nodeType === Node.TEXT_NODE) copy.append(child.textContent ?? "");
  }
  return copy;
}
