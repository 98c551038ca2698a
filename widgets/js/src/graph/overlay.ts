// Boxes coloured by an amount: one hue, from faint to strong, with the number beside it.
import { h, set } from "../shared/dom";
import { bytesText, finite, type Num, secondsText, spoken } from "../shared/numbers";
import type { Key } from "../shared/words";
import type { Item, Measure, Overlay } from "./contract";

type Word = (key: Key, values?: Record<string, string | number>) => string;

export const MEASURES: Measure[] = ["time", "memory", "flops", "norm", "std", "gradient"];
const SUMS: Measure[] = ["time", "memory", "flops"];
const STRONGEST = 55; // percent: text has to stay legible on it
const INSET = 12;

/** Colours a box by its amount, which its second line and its bar say too. */
export function shade(element: SVGGElement, item: Item, overlay: Overlay | null, word: Word): void {
  const shape = element.querySelector<SVGElement>(".lt-shape");
  if (!shape) return;
  const share = overlay?.shares[item.key] ?? null;
  element.classList.toggle("lt-shaded", overlay !== null);
  shape.style.fill =
    overlay && share !== null
      ? `color-mix(in srgb, var(--lt-heat) ${(share * STRONGEST).toFixed(1)}%, var(--lt-surface))`
      : "";
  if (!overlay) return;
  const subtitle = element.querySelector(".lt-subtitle");
  if (subtitle && !element.classList.contains("lt-failed"))
    subtitle.textContent = amountText(overlay, overlay.amounts[item.key] ?? null, word);
  const half = item.width / 2 - INSET;
  const y = item.height / 2 - 9;
  const bar = element.querySelector<SVGElement>(".lt-above");
  if (bar) set(bar, { x: -half, y, width: 2 * half * (share ?? 0), height: 5 });
  const none = element.querySelector(".lt-below");
  if (none) set(none, { width: 0 });
  for (const name of ["lt-track", "lt-zero"]) {
    const part = element.querySelector<SVGElement>(`.${name}`);
    if (part) part.style.display = "none";
  }
}

function amountText(overlay: Overlay, amount: Num | null, word: Word): string {
  if (amount === null) return "–";
  const text = unit(overlay.by, amount);
  if (!overlay.total || !finite(amount)) return text;
  const share = Number(((100 * amount) / overlay.total).toPrecision(2));
  return word("graph.share", { amount: text, share });
}

function unit(by: Measure, amount: Num): string {
  if (!finite(amount)) return spoken(amount);
  if (by === "time") return secondsText(amount);
  if (by === "memory") return bytesText(amount);
  if (by === "flops")
    return new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(amount);
  return spoken(amount);
}

/** The scale with its ends, and what all boxes have together. */
export function scale(overlay: Overlay, word: Word): HTMLElement {
  const { by, low, high, total } = overlay;
  const end = (amount: number | null) => (amount === null ? "–" : unit(by, amount));
  return h(
    "span",
    { class: "lt-swatch lt-heat-scale" },
    `${word(`graph.by.${by}`)} ${end(low)}`,
    h("i", { class: "lt-heat-key" }),
    end(high),
    total !== null && SUMS.includes(by)
      ? h("span", {}, `· ${word("graph.total", { total: unit(by, total) })}`)
      : null,
  );
}
