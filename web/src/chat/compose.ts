//! Whether an input method is composing: Enter then picks a word and must not send.

/** Safari ends the composition before the keydown that ended it; only the key code 229 tells. */
export function composing(event: { isComposing: boolean; keyCode: number }): boolean {
  return event.isComposing || event.keyCode === 229;
}
