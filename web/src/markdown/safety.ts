//! Which addresses an answer may lead to or load from. The text of a model is untrusted.

/** The address when a person may follow it, else null. */
export function safeLink(href: string | undefined): URL | null {
  if (!href || href.startsWith("streamdown:")) return null;
  let url: URL;
  try {
    url = new URL(href, location.origin);
  } catch {
    return null;
  }
  return ["http:", "https:", "mailto:", "tel:"].includes(url.protocol) ? url : null;
}

/** Images are loaded from our own origin only: one from elsewhere would tell its server who reads what. */
export function ownImage(src: string): boolean {
  if (/^data:image\/(png|jpeg|gif|webp|avif);/i.test(src) || src.startsWith("blob:")) return true;
  try {
    const url = new URL(src, location.origin);
    return url.origin === location.origin && (url.protocol === "http:" || url.protocol === "https:");
  } catch {
    return false;
  }
}
