import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { KINDS } from '@/api/events/stream';
import { CATEGORIES, HOST_STATES, SCAN_STATES, SEVERITIES, VERDICTS } from '@/api/types';

interface Schema {
  enum?: string[];
  properties?: Record<string, { enum?: string[] }>;
}

const text = readFileSync('openapi.json', 'utf8');
const description = JSON.parse(text) as { components: { schemas: Record<string, Schema> } };
const PYTHON = resolve('../.venv/bin/python');

/** What the generator writes for a description. */
function generate(): string {
  return execFileSync(resolve('node_modules/.bin/openapi-typescript'), ['openapi.json', '--alphabetize'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
}

describe('the API and this UI agree', () => {
  it('ac:ui-20 the committed types are those of the committed description (else: npm run api)', () => {
    expect(generate()).toBe(readFileSync('src/api/schema.gen.ts', 'utf8'));
  });

  it.skipIf(!existsSync(PYTHON))('ac:ui-20 the committed description is that of the API (else: npm run api:read)', () => {
    const current = execFileSync(PYTHON, ['-m', 'openwatch.api.openapi'], { encoding: 'utf8' });
    expect(JSON.parse(text)).toEqual(JSON.parse(current));
  });

  it.each([
    ['Verdict', VERDICTS],
    ['Severity', SEVERITIES],
    ['Category', CATEGORIES],
    ['HostState', HOST_STATES],
    ['ScanState', SCAN_STATES],
  ] as const)('ac:ui-20 every %s is known', (name, values) => {
    expect([...values].sort()).toEqual([...(description.components.schemas[name]?.enum ?? [])].sort());
  });

  it('follows every event that changes what a page shows, and none twice', () => {
    const all = description.components.schemas.Event?.properties?.kind?.enum ?? [];
    const ofPeople = all.filter((kind) => kind.startsWith('session.') || kind.startsWith('user.'));
    expect([...KINDS, ...ofPeople].sort()).toEqual([...all].sort());
  });
});
