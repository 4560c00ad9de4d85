//! One tooltip for the whole page: whatever carries `data-tip` gets it on hover and on keyboard focus.
//! Only ever a repetition for the eye: the control's name is its aria-label.
import { useEffect, useState } from "react";

type Tip = { text: string; x: number; y: number; above: boolean };
const DELAY = 350;

export function Tooltips() {
  const [tip, setTip] = useState<Tip | null>(null);

  useEffect(() => {
    let timer = 0;
    let shown: Element | null = null;
    const hide = () => {
      clearTimeout(timer);
      shown = null;
      setTip(null);
    };
    const show = (target: Element) => {
      const text = target.getAttribute("data-tip");
      if (!text || !target.isConnected || target.getAttribute("aria-expanded") === "true") return;
      const box = target.getBoundingClientRect();
      const above = box.bottom + 44 > window.innerHeight;
      setTip({ text, x: box.left + box.width / 2, y: above ? box.top - 6 : box.bottom + 6, above });
    };
    const over = (event: Event) => {
      const target = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
      if (target === shown) return;
      hide();
      if (!target || (event instanceof PointerEvent && event.pointerType !== "mouse")) return;
      if (event.type === "focusin" && !target.matches(":focus-visible")) return;
      shown = target;
      timer = window.setTimeout(() => show(target), DELAY);
    };
    const listeners: [string, (event: Event) => void][] = [
      ["pointerover", over],
      ["focusin", over],
      ["focusout", hide],
      ["pointerdown", hide],
      ["keydown", hide],
      ["scroll", hide],
    ];
    for (const [name, listener] of listeners) document.addEventListener(name, listener, { capture: true, passive: true });
    return () => {
      hide();
      for (const [name, listener] of listeners) document.removeEventListener(name, listener, { capture: true });
    };
  }, []);

  if (!tip) return null;
  return (
    <div
      aria-hidden="true"
      ref={keepInside}
      style={{ left: tip.x, top: tip.y }}
      className={`pointer-events-none fixed z-70 max-w-72 -translate-x-1/2 rounded-[7px] bg-primary px-2 py-1 text-[12px] leading-snug whitespace-pre text-primary-foreground ${tip.above ? "-translate-y-full" : ""}`}
    >
      {tip.text}
    </div>
  );
}

function keepInside(element: HTMLDivElement | null) {
  if (!element) return;
  const box = element.getBoundingClientRect();
  const over = Math.max(0, box.right + 6 - window.innerWidth) - Math.max(0, 6 - box.left);
  if (over !== 0) element.style.marginLeft = `${-over}px`;
}
