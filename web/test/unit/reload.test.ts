import { expect, it, vi } from 'vitest';
import { reloadWhenPartsAreMissing } from '@/app/reload';

it('ac:ui-17 reads the app anew once when a part of it cannot be fetched', () => {
  window.sessionStorage.clear();
  const reload = vi.fn();
  reloadWhenPartsAreMissing(reload);
  const first = new Event('vite:preloadError', { cancelable: true });
  const second = new Event('vite:preloadError', { cancelable: true });
  window.dispatchEvent(first);
  window.dispatchEvent(second);
  expect(reload).toHaveBeenCalledTimes(1);
  expect(first.defaultPrevented).toBe(true);
  expect(second.defaultPrevented).toBe(false);
});
