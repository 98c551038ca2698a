// The line to the kernel, the same for every view.
import type { AnyModel } from "@anywidget/types";
import { h } from "./dom";
import { paint } from "./theme";
import { type Key, word } from "./words";

declare const VIEW: string; // the name of the folder; build.mjs puts it in

const PATIENCE = 5_000; // milliseconds until silence is said
const GREETING = 20_000; // milliseconds between two questions whether the kernel is there

export interface Span {
  first: number | null;
  last: number | null;
  kept: number;
  step: number | null;
  live: boolean;
  dropped: string;
}

export interface Frame {
  serial: number;
  time: Span;
}

export class Host<F extends Frame> {
  private readonly undo: (() => void)[] = [];
  private readonly notice = h("p", { class: "lt-notice", role: "status", hidden: true });
  private silence = 0; // the timer that runs while an answer is awaited

  constructor(
    readonly model: AnyModel,
    readonly el: HTMLElement,
  ) {
    el.classList.add("lt-view");
    el.dataset.view = VIEW;
    paint(el);
    // JupyterLab reads keys before we do, and its shortcuts match the focused element itself:
    // unless that one is marked, an arrow key moves to another cell instead of moving a slider.
    const mark = ({ target }: FocusEvent) => {
      if (target instanceof Element) target.setAttribute("data-lm-suppress-shortcuts", "true");
    };
    el.addEventListener("focusin", mark);
    this.undo.push(() => el.removeEventListener("focusin", mark));
    const heard = (message: { answer?: string; complaint?: string }) => {
      if (message.answer !== undefined) this.hear(message.complaint ?? "");
    };
    model.on("msg:custom", heard);
    const greeting = setInterval(() => !document.hidden && this.send("hello"), GREETING);
    this.undo.push(
      () => model.off("msg:custom", heard),
      () => clearInterval(greeting),
      () => clearTimeout(this.silence),
    );
  }

  get frame(): F {
    return this.get<F>("frame");
  }

  get language(): string {
    return this.get<string>("language");
  }

  get<T>(name: string): T {
    return this.model.get(name) as T;
  }

  word = (key: Key, values?: Record<string, string | number>): string =>
    word(this.language, key, values);

  send(command: string, values: Record<string, unknown> = {}): void {
    if (command !== "drawn") this.silence ||= setTimeout(() => this.say("view.silent"), PATIENCE);
    try {
      this.model.send({ command, ...values });
    } catch (error) {
      // a kernel that is dead takes no message: its silence is said
      console.warn(error);
    }
  }

  /** The kernel answered; what it could not take is told. */
  private hear(complaint: string): void {
    clearTimeout(this.silence);
    this.silence = 0;
    if (complaint) this.say("view.refused", complaint);
    else this.notice.hidden = true;
  }

  private say(key: Key, reason = ""): void {
    this.notice.textContent = this.word(key, { reason });
    this.notice.hidden = false;
    if (this.notice.parentNode !== this.el) this.el.append(this.notice);
  }

  on(name: string, act: () => void): void {
    this.model.on(`change:${name}`, act);
    this.undo.push(() => this.model.off(`change:${name}`, act));
  }

  /** Draws each frame once, at the browser's own pace, then asks for the next. */
  frames(draw: (frame: F) => void): void {
    let asked = 0;
    const paint = () => {
      asked = 0;
      draw(this.frame);
      this.send("drawn", { serial: this.frame.serial });
    };
    this.on("frame", () => {
      // A hidden tab runs no animation frames; it must not make the kernel wait.
      if (document.hidden) paint();
      else asked ||= requestAnimationFrame(paint);
    });
    this.undo.push(() => cancelAnimationFrame(asked));
  }

  cleanup(act: () => void): void {
    this.undo.push(act);
  }

  end = (): void => {
    for (const act of this.undo.splice(0)) act();
  };
}

/** How long a transition takes: not at all for those who asked for less motion. */
export function duration(milliseconds = 220): number {
  return matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : milliseconds;
}
