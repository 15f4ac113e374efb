import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const apiAddress = process.env.OPENWATCH_DEV_API ?? 'http://127.0.0.1:8765';

/** The bundler collects the licences of code only; the fonts must go with theirs as well (SIL OFL 1.1). */
const fontLicenses: Plugin = {
  name: 'openwatch-font-licenses',
  generateBundle() {
    const texts = ['inter', 'jetbrains-mono'].map((font) =>
      readFileSync(new URL(`./node_modules/@fontsource-variable/${font}/LICENSE`, import.meta.url), 'utf8'),
    );
    this.emitFile({ type: 'asset', fileName: 'licenses-fonts.txt', source: texts.join('\n\n') });
  },
};

export default defineConfig({
  plugins: [react(), fontLicenses],
  resolve: {
    alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) },
  },
  build: {
    target: 'es2022',
    // Content Security Policy: nothing may be inlined as a data: address.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: 'react', test: /node_modules\/(react|react-dom|scheduler)\// },
            { name: 'mantine', test: /node_modules\/(@mantine|@floating-ui|react-remove-scroll)/ },
            { name: 'tanstack', test: /node_modules\/@tanstack\// },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': apiAddress } },
  test: {
    environment: 'jsdom',
    setupFiles: ['./test/setup.ts'],
    include: ['test/**/*.test.{ts,tsx}'],
    css: false,
    testTimeout: 15_000,
  },
});
