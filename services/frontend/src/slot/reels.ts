/** The reels: they turn until the result is known, then slow down to it. */
import { element } from "../elements";
import { distanceTo, STRIP, stopOf } from "./strip";

const SYMBOLS_PER_SECOND = 16;
const LEAST_TURN = 6;
const LATER_EACH_REEL = 5;
// The strip and three symbols more, so that the window is full wherever the strip begins.
const CELLS = STRIP.length + 3;
const SVG = "http://www.w3.org/2000/svg";

/** What the reels shall show. */
export interface Landing {
  round: string;
  line: readonly string[];
}

interface Reel {
  strip: HTMLElement;
  position: number;
  /** Once the result is known. */
  slowing?: { from: number; distance: number; since: number };
}

/** Three reels in a window that shows three symbols of each; the middle row counts. */
export class Reels {
  readonly #reels: readonly Reel[];
  readonly #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(window: HTMLElement) {
    this.#reels = [0, 2, 4].map((position) => ({ strip: makeStrip(), position }));
    window.replaceChildren(
      ...this.#reels.map(({ strip }) => element("div", { class: "reel" }, strip)),
      element("div", { class: "payline" }),
    );
    this.#show();
  }

  /**
   * Turn until the result is there, then come to rest on it.
   *
   * @param result where to land; undefined brings the reels to rest on whatever comes next
   * @returns when they rest, even if a frame of the animation has thrown
   */
  async spin(result: Promise<Landing | undefined>): Promise<void> {
    let landing: { on: Landing | undefined } | undefined;
    void result.then(
      (on) => (landing = { on }),
      () => (landing = { on: undefined }),
    );
    let before = performance.now();
    await new Promise<void>((finish) => {
      const frame = (now: number): void => {
        let turning = false;
        try {
          turning = this.#turn(landing, before, now);
          before = now;
          this.#show();
        } finally {
          if (turning) requestAnimationFrame(frame);
          else finish(this.#rest());
        }
      };
      requestAnimationFrame(frame);
    });
  }

  /** Move every reel to where it is at `now`; false once all rest. */
  #turn(landing: { on: Landing | undefined } | undefined, before: number, now: number): boolean {
    const moved = (SYMBOLS_PER_SECOND * Math.max(0, now - before)) / 1000;
    return this.#reels
      .map((reel, index) => {
        if (landing !== undefined && reel.slowing === undefined) {
          const { position } = reel;
          const stop = landing.on === undefined ? Math.ceil(position) : stopOf(landing.on.line[index] ?? "", index, landing.on.round);
          const distance = distanceTo(stop, position, LEAST_TURN + index * LATER_EACH_REEL);
          reel.slowing = { from: position, distance, since: now };
        }
        if (reel.slowing === undefined) {
          if (!this.#still.matches) reel.position += moved;
          return true;
        }
        const { from, distance, since } = reel.slowing;
        // It slows down evenly from its speed, so it needs twice the time that it would need without slowing down.
        const milliseconds = this.#still.matches ? 0 : (2000 * distance) / SYMBOLS_PER_SECOND;
        const part = milliseconds === 0 ? 1 : Math.min(1, (now - since) / milliseconds);
        reel.position = from + distance * (1 - (1 - part) ** 2);
        return part < 1;
      })
      .some(Boolean);
  }

  #rest(): void {
    for (const reel of this.#reels) {
      delete reel.slowing;
      reel.position = Math.round(reel.position) % STRIP.length;
    }
    this.#show();
  }

  #show(): void {
    for (const { strip, position } of this.#reels) {
      // The middle of the window is one symbol below its top.
      const top = (position + STRIP.length - 1) % STRIP.length;
      strip.style.transform = `translateY(${(-100 * top) / CELLS}%)`;
    }
  }
}

function makeStrip(): HTMLElement {
  const cells = Array.from({ length: CELLS }, (_, index) =>
    element("div", { class: "cell" }, symbolImage(STRIP[index % STRIP.length] ?? STRIP[0])),
  );
  return element("div", { class: "strip", "aria-hidden": "true" }, ...cells);
}

/** A drawing of a symbol, from the sprite in the page. */
export function symbolImage(symbol: string): SVGElement {
  const image = document.createElementNS(SVG, "svg");
  image.setAttribute("viewBox", "0 0 64 64");
  image.setAttribute("class", "symbol");
  image.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#symbol-${symbol}`);
  image.append(use);
  return image;
}
