// Elements in one expression. Text always goes in as text: a name with markup in it stays a name.
type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  return fill(document.createElement(tag), attributes, children);
}

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): SVGElementTagNameMap[K] {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fill<E extends Element>(element: E, attributes: Attributes, children: Child[]): E {
  set(element, attributes);
  for (const child of children) if (child) element.append(child);
  return element;
}

/** Sets attributes; false, null and undefined take them away, true sets an empty one. */
export function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

/** A button with an icon (path data in a 16 x 16 box), a label, or both. */
export function button(label: string, icon: string | null, act: () => void, bare = false) {
  const element = h(
    "button",
    { type: "button", class: bare ? "lt-button lt-bare" : "lt-button" },
    icon ? s("svg", { viewBox: "0 0 16 16", "aria-hidden": "true" }, s("path", { d: icon })) : null,
    h("span", {}, label),
  );
  element.addEventListener("click", act);
  return element;
}

/** Changes what a button says (and, where its text is hidden, how it is called). */
export function label(element: HTMLButtonElement, text: string, title?: string): void {
  const span = element.querySelector("span");
  if (span && span.textContent !== text) span.textContent = text;
  set(element, { title: title ?? null, "aria-label": title ?? null });
}

export const ICONS = {
  play: "M4 2.5v11l9.5-5.5z",
  pause: "M3.5 2.5h3v11h-3zM9.5 2.5h3v11h-3z",
  step: "M3 2.5v11l7.5-5.5zM11 2.5h2.2v11H11z",
  stop: "M3 3h10v10H3z",
  close: "M3.6 2.5 8 6.9l4.4-4.4 1.1 1.1L9.1 8l4.4 4.4-1.1 1.1L8 9.1l-4.4 4.4-1.1-1.1L6.9 8 2.5 3.6z",
  plus: "M7.2 3h1.6v4.2H13v1.6H8.8V13H7.2V8.8H3V7.2h4.2z",
  minus: "M3 7.2h10v1.6H3z",
} as const;
