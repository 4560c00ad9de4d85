//! The one way an answer's text becomes a page. Safe by construction: no raw HTML survives, links ask first, images come from here only.
import { Children, type ComponentProps, type ReactElement, type ReactNode, isValidElement, memo } from "react";
import { type Components, Streamdown, defaultRehypePlugins } from "streamdown";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";
import { CodeBlock } from "@/markdown/code-block";
import { Anchor } from "@/markdown/link";
import { ownImage } from "@/markdown/safety";
import { TableFrame } from "@/markdown/table";
import { type Plugins, usePlugins } from "@/markdown/plugins";
import { holdTable, normalise } from "@/markdown/normalise";

type Props = { text: string; streaming: boolean };

export default memo(function Markdown({ text, streaming }: Props) {
  const normal = normalise(streaming ? holdTable(text) : text);
  const plugins: Plugins = usePlugins(normal);
  return (
    <div className="answer" data-streaming={streaming || undefined}>
      <Streamdown
        // Plugins that arrive later change the parse of blocks already drawn; a key makes every block take part.
        key={Object.keys(plugins).join()}
        components={COMPONENTS}
        rehypePlugins={REHYPE}
        plugins={plugins}
        parseIncompleteMarkdown={streaming}
        isAnimating={false}
        controls={false}
        linkSafety={{ enabled: false }}
        normalizeHtmlIndentation
      >
        {normal}
      </Streamdown>
    </div>
  );
});

/** Streamdown's own chain without its `harden`: that blocks ordinary links by prefix. Protocols are checked by `sanitize` and again in `Anchor`. */
const REHYPE = [defaultRehypePlugins.raw, defaultRehypePlugins.sanitize].filter((plugin) => plugin !== undefined);

type WithNode<T extends keyof React.JSX.IntrinsicElements> = ComponentProps<T> & { node?: unknown };

function plain<T extends keyof React.JSX.IntrinsicElements>(Tag: T, className?: string) {
  return function Plain({ node: _node, ...props }: WithNode<T>) {
    const Element = Tag as string as "div";
    return <Element {...(props as ComponentProps<"div">)} className={cx((props as { className?: string }).className, className) || undefined} />;
  };
}

const COMPONENTS: Components = {
  // The page's own h1 is the conversation's title: an answer begins below it, and most answers begin at `##`.
  h1: plain("h2", "h-large"),
  h2: plain("h2", "h-middle"),
  h3: plain("h3", "h-small"),
  h4: plain("h4", "h-small"),
  h5: plain("h5", "h-small"),
  h6: plain("h6", "h-small"),
  p: plain("p"),
  strong: plain("strong"),
  blockquote: plain("blockquote"),
  hr: plain("hr"),
  ul: plain("ul"),
  ol: plain("ol"),
  li: ListItem,
  sup: plain("sup"),
  sub: plain("sub"),
  section: plain("section"),
  a: ({ href, children }: WithNode<"a">) => <Anchor href={href}>{children}</Anchor>,
  img: Picture,
  pre: Fence,
  code: plain("code"),
  table: ({ children }: WithNode<"table">) => <TableFrame>{children}</TableFrame>,
  thead: plain("thead"),
  tbody: plain("tbody"),
  tr: plain("tr"),
  th: plain("th"),
  td: plain("td"),
};

/** A task's checkbox replaces the bullet and carries its text as its label. */
function ListItem({ node: _node, children, className, ...rest }: WithNode<"li">) {
  const t = useT("chat");
  if (!className?.includes("task-list-item")) return <li {...rest}>{children}</li>;
  const parts = flatten(children);
  const at = parts.findIndex((part) => isValidElement(part) && part.type === "input");
  const box = parts[at] as ReactElement<{ checked?: boolean }> | undefined;
  const done = box?.props.checked === true;
  return (
    <li className="task">
      <label>
        <input type="checkbox" checked={done} readOnly disabled aria-label={t(done ? "task.done" : "task.open")} />
        <span>{parts.filter((_, index) => index !== at)}</span>
      </label>
    </li>
  );
}

/** A loose task list wraps box and text in a paragraph: take its children, the label is one line. */
function flatten(children: ReactNode): ReactNode[] {
  return Children.toArray(children).flatMap((child) => {
    if (!isValidElement<{ children?: ReactNode; node?: { tagName?: string } }>(child)) return [child];
    const paragraph = child.props.node?.tagName === "p";
    return paragraph ? Children.toArray(child.props.children) : [child];
  });
}

function Picture({ src, alt }: WithNode<"img">) {
  const t = useT("chat");
  if (typeof src === "string" && ownImage(src)) return <img src={src} alt={alt ?? ""} loading="lazy" />;
  return (
    <span className="rounded-control border border-dashed px-2 py-0.5 text-meta text-muted-foreground">
      {alt ? `${alt} · ` : ""}
      {t("image.blocked")}
    </span>
  );
}

function Fence({ children }: WithNode<"pre">) {
  const code = Children.toArray(children).find((child) => isValidElement(child)) as ReactElement<{ className?: string; children?: ReactNode }> | undefined;
  if (!code) return <pre>{children}</pre>;
  const language = /language-([^\s]+)/.exec(code.props.className ?? "")?.[1] ?? "";
  return <CodeBlock code={textOf(code.props.children).replace(/\n$/, "")} language={language} />;
}

function textOf(children: ReactNode): string {
  return Children.toArray(children)
    .map((child) => (typeof child === "string" || typeof child === "number" ? String(child) : isValidElement<{ children?: ReactNode }>(child) ? textOf(child.props.children) : ""))
    .join("");
}
