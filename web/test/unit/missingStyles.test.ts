import { expect, it } from 'vitest';
import { showPagesWithoutTheirStyles } from '@/app/missingStyles';

it('ac:ui-17 shows a page whose styles cannot be fetched, and tells of a script that is missing', () => {
  showPagesWithoutTheirStyles();
  for (const [message, goesOn] of [
    ['Unable to preload CSS for /assets/a.css', true],
    ['Failed to fetch dynamically imported module', false],
  ] as const) {
    const failure = Object.assign(new Event('vite:preloadError', { cancelable: true }), { payload: new Error(message) });
    window.dispatchEvent(failure);
    expect(failure.defaultPrevented).toBe(goesOn);
  }
});
