//! One open conversation outside React: its tree, the line on the screen, the answers under way. Screens subscribe; a frame changes one message.
import { useSyncExternalStore } from "react";
import { Problem, api } from "@/api/client";
import type { Accepted, Ask, Conversation, ConversationChange, ConversationDetail, FellBack, Message } from "@/api/types";
import { Answer, type Running } from "@/chat/answer";
import { changeConversation } from "@/chat/conversation-actions";
import { refreshConversations } from "@/chat/conversations";
import { type Messages, headWithout, newestLeaf, newestOf, pathTo, siblingsOf, subtree } from "@/chat/tree";
import { translate } from "@/lib/i18n";
import { announce } from "@/ui/toast";

export type ThreadState = {
  status: "loading" | "ready" | "failed";
  problem: Problem | null;
  conversation: Conversation | null;
  messages: Messages;
  /** The ids on the screen, root first. */
  path: string[];
};

const EMPTY: ThreadState = { status: "loading", problem: null, conversation: null, messages: new Map(), path: [] };

export class Thread {
  readonly id: string;
  private state: ThreadState = EMPTY;
  private head: string | null = null;
  private answers = new Map<string, Answer>();
  /** Who answered in whose place, as long as this page is open: the stored message names the model that answered. */
  private fellBacks = new Map<string, FellBack>();
  private listeners = new Set<() => void>();
  /** Counts what happened here, see load(). */
  private changes = 0;

  constructor(id: string) {
    this.id = id;
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  };
  get = () => this.state;
  message = (id: string): Message | undefined => this.state.messages.get(id);
  running = (id: string): Running | null => this.answers.get(id)?.running ?? null;
  fellBack = (id: string): FellBack | null => this.answers.get(id)?.running.fellBack ?? this.fellBacks.get(id) ?? null;
  /** The answer under way on the line that is shown, if any. */
  runningTurn = (): string | null => {
    for (const id of this.state.path) {
      const answer = this.answers.get(id);
      if (answer) return answer.running.turn;
    }
    return null;
  };

  async load() {
    const read = this.changes;
    try {
      const detail = await api.get<ConversationDetail>(`/api/conversations/${this.id}`);
      // Something was asked or ended here while this was on its way: it may be older than what is shown.
      if (read !== this.changes) return void this.load();
      this.adopt(detail.conversation, detail.messages);
    } catch (error) {
      if (this.state.status === "ready" && !(error instanceof Problem && error.status === 404)) return;
      this.set({ status: "failed", problem: error instanceof Problem ? error : new Problem("internal", String(error)) });
    }
  }

  /** Takes what the portal says as the truth, keeps looking where the person looks. */
  private adopt(conversation: Conversation, list: Message[]) {
    const messages = new Map(list.map((message) => [message.id, message]));
    for (const [id, answer] of this.answers) {
      const mine = this.state.messages.get(id);
      // An answer that is followed ends by its own stream, with its last letters typed out.
      if (messages.has(id) && mine) messages.set(id, mine);
      else {
        answer.close();
        this.answers.delete(id);
      }
    }
    const continued = conversation.head !== null && pathTo(messages, conversation.head).some((message) => message.id === this.head);
    if (this.head === null || !messages.has(this.head) || continued) this.head = conversation.head !== null && messages.has(conversation.head) ? conversation.head : newestOf(messages);
    this.set({ status: "ready", problem: null, conversation, messages });
    for (const message of messages.values()) this.watch(message);
  }

  private watch(message: Message) {
    if (message.turn === null || message.finish !== null || message.author !== "assistant" || this.answers.has(message.id)) return;
    const answer = new Answer(message, message.turn, {
      onChange: () => this.notify(),
      onFinish: (final) => {
        if (answer.running.fellBack) this.fellBacks.set(message.id, answer.running.fellBack);
        this.finish(final);
      },
      onGone: () => {
        this.answers.delete(message.id);
        void this.load();
      },
    });
    this.answers.set(message.id, answer);
    this.notify();
    void answer.follow();
  }

  private finish(message: Message) {
    this.changes += 1;
    this.answers.delete(message.id);
    this.put(message);
    announce(translate("chat", message.finish === "failed" || message.finish === "interrupted" ? "said.failed" : "said.complete"));
    refreshConversations();
  }

  /** Asks; throws the Problem when refused, so that the question can stay where it was written. */
  async ask(ask: Omit<Ask, "conversation">) {
    this.accept(await api.post<Accepted>("/api/turns", { ...ask, conversation: this.id }));
  }

  accept(accepted: Accepted) {
    this.changes += 1;
    this.head = accepted.answer.id;
    const messages = new Map(this.state.messages);
    messages.set(accepted.question.id, accepted.question);
    messages.set(accepted.answer.id, accepted.answer);
    this.set({ status: "ready", conversation: accepted.conversation, messages });
    this.watch(accepted.answer);
    refreshConversations();
  }

  async stop() {
    const turn = this.runningTurn();
    if (turn === null) return;
    for (const answer of this.answers.values()) if (answer.running.turn === turn) answer.stopping();
    await api.post(`/api/turns/${turn}/stop`);
  }

  /** Looks at another branch and remembers it, so that another device opens the same line. */
  show(id: string) {
    this.head = newestLeaf(this.state.messages, id);
    this.set({});
    void api.patch(`/api/conversations/${this.id}`, { head: this.head }).catch(() => undefined);
  }

  /** Brings a message (a search hit) onto the screen. */
  reveal(id: string) {
    if (this.state.messages.has(id) && !this.state.path.includes(id)) this.show(id);
  }

  async change(change: ConversationChange) {
    if (this.state.conversation) this.set({ conversation: { ...this.state.conversation, ...change } });
    const changed = await changeConversation(this.id, change);
    if (changed) this.set({ conversation: changed });
    else await this.load();
  }

  async remove(id: string) {
    await api.delete(`/api/messages/${id}`);
    this.changes += 1;
    const gone = subtree(this.state.messages, id);
    const before = this.head;
    if (this.state.path.includes(id)) this.head = headWithout(this.state.messages, id);
    for (const one of gone) {
      this.answers.get(one)?.close();
      this.answers.delete(one);
    }
    this.set({ messages: new Map([...this.state.messages].filter(([key]) => !gone.has(key))) });
    return async () => {
      await api.post(`/api/messages/${id}/restore`);
      this.head = before;
      const detail = await api.get<ConversationDetail>(`/api/conversations/${this.id}`);
      this.adopt({ ...detail.conversation, head: before }, detail.messages);
    };
  }

  siblings = (id: string): Message[] => siblingsOf(this.state.messages, id);

  close() {
    for (const answer of this.answers.values()) answer.close();
    this.answers.clear();
  }

  private put(message: Message) {
    this.set({ messages: new Map(this.state.messages).set(message.id, message) });
  }

  private set(change: Partial<ThreadState>) {
    const next = { ...this.state, ...change };
    const path = pathTo(next.messages, this.head).map((message) => message.id);
    const same = path.length === this.state.path.length && path.every((id, at) => id === this.state.path[at]);
    this.state = { ...next, path: same ? this.state.path : path };
    this.notify();
  }

  private notify() {
    for (const listener of this.listeners) listener();
  }
}

/** Open threads stay while answers run, so that leaving and returning shows the same frame. */
const threads = new Map<string, Thread>();
const KEPT = 12;

export function threadOf(id: string): Thread {
  const known = threads.get(id);
  if (known) return known;
  const thread = new Thread(id);
  threads.set(id, thread);
  for (const [old, one] of threads) {
    if (threads.size <= KEPT) break;
    if (old === id || one.runningTurn() !== null) continue;
    one.close();
    threads.delete(old);
  }
  void thread.load();
  return thread;
}

/** A question that begins a conversation. */
export async function askNew(ask: Omit<Ask, "conversation" | "parent">): Promise<string> {
  const accepted = await api.post<Accepted>("/api/turns", ask);
  const thread = new Thread(accepted.conversation.id);
  threads.set(thread.id, thread);
  thread.accept(accepted);
  return thread.id;
}

/** Something changed elsewhere (another tab, another device): open threads look again. */
export function reloadThread(id: string) {
  void threads.get(id)?.load();
}

export function reloadThreads() {
  for (const thread of threads.values()) void thread.load();
}

export function forgetThread(id: string) {
  threads.get(id)?.close();
  threads.delete(id);
}

export function useThread(thread: Thread): ThreadState {
  return useSyncExternalStore(thread.subscribe, thread.get);
}

export function useRunning(thread: Thread, id: string): Running | null {
  return useSyncExternalStore(thread.subscribe, () => thread.running(id));
}

export function useFellBack(thread: Thread, id: string): FellBack | null {
  return useSyncExternalStore(thread.subscribe, () => thread.fellBack(id));
}

export function useRunningTurn(thread: Thread): string | null {
  return useSyncExternalStore(thread.subscribe, thread.runningTurn);
}

/** On leaving the portal: nothing of this person stays in memory. */
export function closeThreads() {
  for (const thread of threads.values()) thread.close();
  threads.clear();
}
