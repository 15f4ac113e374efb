import { useEffect, useState } from 'react';
import { ApiError } from '@/api/problem';

/** The seconds that the server asked to wait, counted down to 0. */
export function useRetryAfter(error: unknown): number {
  const [until, setUntil] = useState({ error: undefined as unknown, at: 0 });
  const [now, setNow] = useState(0);
  const asked = error instanceof ApiError ? (error.retryAfterSeconds ?? 0) : 0;

  useEffect(() => {
    if (asked <= 0) return undefined;
    const end = Date.now() + asked * 1000;
    const tick = () => {
      setUntil({ error, at: end });
      setNow(Date.now());
    };
    tick();
    const timer = window.setInterval(tick, 1000);
    return () => window.clearInterval(timer);
  }, [error, asked]);

  if (asked <= 0 || until.error !== error) return 0;
  return Math.max(0, Math.ceil((until.at - now) / 1000));
}
