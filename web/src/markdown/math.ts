//! Formulas by KaTeX with its fonts, loaded when a text contains one.
import { createMathPlugin } from "@streamdown/math";
import "katex/dist/katex.min.css";

export const math = createMathPlugin({ singleDollarTextMath: false, errorColor: "var(--bad)" });
