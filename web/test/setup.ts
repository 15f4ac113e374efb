import '@testing-library/jest-dom/vitest';
import { cleanup, configure } from '@testing-library/react';
import { afterEach, beforeEach, vi } from 'vitest';
import { FakeEventSource } from './fixture/eventSource';

// A failure names the element; the whole page would drown it.
configure({
  getElementError: (message) => new Error(message ?? 'not found'),
  asyncUtilTimeout: 4000,
  // Walking up the tree for every element costs seconds in jsdom; what must be seen is asserted as visible.
  defaultHidden: true,
});

class NoResize implements ResizeObserver {
  observe(): void {
    /* The size of everything is 0 in jsdom. */
  }
  unobserve(): void {
    /* Nothing is observed. */
  }
  disconnect(): void {
    /* Nothing is observed. */
  }
}

beforeEach(() => {
  vi.stubGlobal('ResizeObserver', NoResize);
  vi.stubGlobal('EventSource', FakeEventSource);
  vi.stubGlobal('matchMedia', (query: string) => ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
    addListener: () => undefined,
    removeListener: () => undefined,
  }));
  vi.stubGlobal('scrollTo', () => undefined);
  Object.defineProperty(document, 'fonts', { configurable: true, value: new EventTarget() });
  Element.prototype.scrollIntoView = () => undefined;
});

afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  window.localStorage.clear();
  window.sessionStorage.clear();
  FakeEventSource.all = [];
});
