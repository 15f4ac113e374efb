import { useSyncExternalStore } from 'react';
import { exactTime, timeAgo } from '@/format/time';

const TICK_MS = 15_000;

/** One clock for all times on the screen, so that they change together. */
class Clock {
  private now = Date.now();
  private timer: number | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly tickMs: number) {}

  readonly read = () => this.now;

  readonly subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    this.now = Date.now();
    this.timer ??= window.setInterval(() => {
      this.now = Date.now();
      this.listeners.forEach((tell) => tell());
    }, this.tickMs);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      window.clearInterval(this.timer);
      this.timer = undefined;
    };
  };
}

const slowClock = new Clock(TICK_MS);
const secondClock = new Clock(1_000);

export function useNow(): number {
  return useSyncExternalStore(slowClock.subscribe, slowClock.read);
}

/** Ticks each second; only for what is running on the screen. */
export function useSeconds(): number {
  return useSyncExternalStore(secondClock.subscribe, secondClock.read);
}

export function TimeAgo({ moment }: { moment: string }) {
  const now = useNow();
  return (
    <time dateTime={moment} title={exactTime(moment)} className="numeric">
      {timeAgo(moment, now)}
    </time>
  );
}
