//! The one WebSocket: live model states and "this changed elsewhere". It carries no answer text; a turn has its own stream (chat/sse.ts).
import { create } from "zustand";
import type { LiveEvent } from "@/api/types";

type Live = { connected: boolean; /** Went away after it had been there. */ lost: boolean };
export const useLive = create<Live>(() => ({ connected: false, lost: false }));

/** Close codes of the portal, see the contract. */
const SESSION_ENDED = 4401;
const SILENCE_MS = 25_000;
const SLOWEST_MS = 8_000;

type Handlers = { onEvent: (event: LiveEvent) => void; onSessionEnd: () => void; /** Events were missed while it was away. */ onReturn: () => void };

/** Keeps the socket open until the returned function is called. */
export function openLive({ onEvent, onSessionEnd, onReturn }: Handlers): () => void {
  let socket: WebSocket | null = null;
  let closed = false;
  let tries = 0;
  let retry = 0;
  let watchdog = 0;

  const heard = () => {
    clearTimeout(watchdog);
    // The portal pings every 10 s; a sleeping laptop's socket can look open for minutes.
    watchdog = window.setTimeout(() => socket?.close(), SILENCE_MS);
  };

  const connect = () => {
    clearTimeout(retry);
    socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/api/live`);
    socket.addEventListener("open", () => {
      tries = 0;
      heard();
      if (useLive.getState().lost) onReturn();
      useLive.setState({ connected: true, lost: false });
    });
    socket.addEventListener("message", (message) => {
      heard();
      const event = JSON.parse(String(message.data)) as LiveEvent;
      if (event.type !== "ping") onEvent(event);
    });
    socket.addEventListener("close", (event) => {
      clearTimeout(watchdog);
      if (closed) return;
      const was = useLive.getState();
      useLive.setState({ connected: false, lost: was.connected || was.lost });
      if (event.code === SESSION_ENDED) return onSessionEnd();
      tries += 1;
      retry = window.setTimeout(connect, Math.min(SLOWEST_MS, 300 * 2 ** Math.min(tries, 6)) * (0.75 + Math.random() / 2));
    });
  };

  const wake = () => {
    if (socket?.readyState === WebSocket.CLOSED) connect();
  };
  window.addEventListener("online", wake);
  connect();
  return () => {
    closed = true;
    clearTimeout(retry);
    clearTimeout(watchdog);
    window.removeEventListener("online", wake);
    useLive.setState({ connected: false, lost: false });
    socket?.close();
  };
}
