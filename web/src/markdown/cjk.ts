//! Emphasis and links beside Chinese punctuation, loaded when a text contains CJK characters.
export { cjk } from "@streamdown/cjk";
