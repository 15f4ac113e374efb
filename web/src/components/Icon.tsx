import type { CSSProperties } from 'react';

/** Our own line icons on a 16 px grid, drawn with one stroke so that they sit well beside 13 px text. */
const PATHS = {
  host: 'M2.5 3.5h11v4h-11zM2.5 8.5h11v4h-11zM5 5.5h.01M5 10.5h.01',
  group: 'M2.5 2.5h5v5h-5zM8.5 8.5h5v5h-5zM10 2.5h3.5V6M6 13.5H2.5V10',
  scan: 'M2.5 5.5v-2a1 1 0 0 1 1-1h2M10.5 2.5h2a1 1 0 0 1 1 1v2M13.5 10.5v2a1 1 0 0 1-1 1h-2M5.5 13.5h-2a1 1 0 0 1-1-1v-2M4.5 8h7',
  rule: 'M6 4h7.5M6 8h7.5M6 12h7.5M2.5 4l.8.8L4.6 3.4M2.5 8l.8.8L4.6 7.4M2.5 12l.8.8 1.3-1.4',
  key: 'M8.2 7.8l5.3-5.3M11.5 4.5l1.8 1.8M9.8 6.2l1.2 1.2M8.5 10.5a3 3 0 1 1-6 0 3 3 0 0 1 6 0z',
  search: 'M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0zM10.3 10.3l3.2 3.2',
  plus: 'M8 3v10M3 8h10',
  close: 'M4 4l8 8M12 4l-8 8',
  check: 'M3.5 8.5l3 3 6-7',
  chevronDown: 'M4.5 6.5L8 10l3.5-3.5',
  chevronRight: 'M6.5 4.5L10 8l-3.5 3.5',
  chevronUp: 'M4.5 9.5L8 6l3.5 3.5',
  arrowLeft: 'M13 8H3.5M7 4L3 8l4 4',
  arrowRight: 'M3 8h9.5M9 4l4 4-4 4',
  copy: 'M5.5 5.5h7v7h-7zM10.5 5.5v-2h-7v7h2',
  download: 'M8 2.5v7M5 6.8L8 9.8l3-3M3 13h10',
  upload: 'M8 9.8v-7M5 5.7l3-3 3 3M3 13h10',
  external: 'M6.5 3.5h-3v9h9v-3M9.5 3h3.5v3.5M13 3L7.5 8.5',
  refresh: 'M13 8a5 5 0 1 1-1.5-3.6M13 2.5v2.8h-2.8',
  stop: 'M4.5 4.5h7v7h-7z',
  play: 'M5 3.5l7.5 4.5L5 12.5z',
  edit: 'M10.5 3.2l2.3 2.3M3 13l.6-2.9 7.3-7.3 2.3 2.3L5.9 12.4z',
  trash: 'M3 4.5h10M6.5 4.5v-2h3v2M4.5 4.5l.6 9h5.8l.6-9M6.8 7v4M9.2 7v4',
  more: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  sun: 'M10.8 8a2.8 2.8 0 1 1-5.6 0 2.8 2.8 0 0 1 5.6 0zM8 1.8v1.4M8 12.8v1.4M1.8 8h1.4M12.8 8h1.4M3.6 3.6l1 1M11.4 11.4l1 1M3.6 12.4l1-1M11.4 4.6l1-1',
  moon: 'M13 9.6A5.4 5.4 0 0 1 6.4 3 5.4 5.4 0 1 0 13 9.6z',
  auto: 'M13.2 8A5.2 5.2 0 1 1 2.8 8a5.2 5.2 0 0 1 10.4 0zM8 2.8v10.4',
  user: 'M10.5 5.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM3 13.5c.6-2.6 2.5-4 5-4s4.4 1.4 5 4',
  keyboard: 'M1.8 4.5h12.4v7H1.8zM4.2 7h.01M6.7 7h.01M9.2 7h.01M11.7 7h.01M5 9.3h6',
  signOut: 'M6.5 2.5h-3v11h3M7 8h6.5M10.5 5l3 3-3 3',
  filter: 'M2.5 4h11M4.5 8h7M6.5 12h3',
  passed: 'M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM5.5 8.2l1.8 1.8 3.2-3.6',
  failed: 'M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM6 6l4 4M10 6l-4 4',
  warning: 'M8 2.5l6 10.7H2zM8 6.5v3M8 11.4h.01',
  minus: 'M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM5.5 8h5',
  hand: 'M10.5 5.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM3 13.5c.6-2.6 2.5-4 5-4 1 0 1.8.2 2.5.6M11 12.5l1.2 1.2 2-2.4',
  sliders: 'M2.5 5h6M11.5 5h2M2.5 11h2M7.5 11h6M11.5 5a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0zM7.5 11a1.5 1.5 0 1 1-3 0 1.5 1.5 0 0 1 3 0z',
  clock: 'M13.5 8a5.5 5.5 0 1 1-11 0 5.5 5.5 0 0 1 11 0zM8 5v3.2l2 1.3',
  shield: 'M8 2l5 1.8v3.7c0 3.1-2 5.4-5 6.5-3-1.1-5-3.4-5-6.5V3.8zM5.8 7.9l1.6 1.6 2.9-3.2',
  fingerprint: 'M4 11.5c.8-1.2 1-2.3 1-3.5a3 3 0 0 1 6 0c0 1.8-.3 3.4-1 5M8 8c0 2-.4 3.7-1.4 5.3M3 9V8a5 5 0 0 1 8.5-3.6M13 7v1c0 1-.1 2-.3 3',
  link: 'M6.8 9.2a2.6 2.6 0 0 0 3.7 0l2-2a2.6 2.6 0 0 0-3.7-3.7l-.8.8M9.2 6.8a2.6 2.6 0 0 0-3.7 0l-2 2a2.6 2.6 0 0 0 3.7 3.7l.8-.8',
  file: 'M4 2.5h5l3 3v8H4zM9 2.5v3h3',
  pause: 'M5.5 4v8M10.5 4v8',
  wrap: 'M2.5 4h11M2.5 8h8.5a2 2 0 0 1 0 4H8M9.5 10.5L8 12l1.5 1.5M2.5 12h2.5',
  terminal: 'M2.5 3.5h11v9h-11zM5 6.5L6.8 8 5 9.5M8.5 10h2.5',
} as const;

export type IconName = keyof typeof PATHS;

interface IconProps {
  name: IconName;
  size?: number;
  style?: CSSProperties;
}

/** Decoration only: the text beside it, or the label of its button, says what it means. */
export function Icon({ name, size = 16, style }: IconProps) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.4}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      style={{ flex: 'none', ...style }}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
