//! The heavier parts of Markdown, fetched when a text shows that it needs them: CJK punctuation rules and formulas.
import { useEffect, useState } from "react";
import type { CjkPlugin, MathPlugin } from "streamdown";

export type Plugins = { cjk?: CjkPlugin; math?: MathPlugin };

const CJK = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]/;
let loaded: Plugins = {};

export function usePlugins(text: string): Plugins {
  const [plugins, setPlugins] = useState(loaded);
  const wantsCjk = !plugins.cjk && CJK.test(text);
  const wantsMath = !plugins.math && text.includes("$$");
  useEffect(() => {
    if (!wantsCjk && !wantsMath) return;
    let current = true;
    void Promise.all([wantsCjk ? import("@/markdown/cjk") : null, wantsMath ? import("@/markdown/math") : null]).then(([cjk, math]) => {
      loaded = { ...loaded, ...(cjk ? { cjk: cjk.cjk } : {}), ...(math ? { math: math.math } : {}) };
      if (current) setPlugins(loaded);
    });
    return () => {
      current = false;
    };
  }, [wantsCjk, wantsMath]);
  return plugins;
}
