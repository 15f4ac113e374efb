import { ActionIcon, Tooltip } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import classes from './CodeBlock.module.css';
import { CopyButton } from './CopyButton';
import { Icon } from './Icon';
import { Visible } from './Visible';

interface Props {
  title: string;
  text: string;
  /** More buttons beside Copy. */
  tools?: ReactNode;
  empty?: string;
}

/** Exact text from a host or about it: nothing hidden, copied as it was. */
export function CodeBlock({ title, text, tools, empty = '(empty)' }: Props) {
  const [wrap, setWrap] = useState(true);
  return (
    <div className={classes.block}>
      <div className={classes.head}>
        <span>{title}</span>
        <span className={classes.tools}>
          {tools}
          <Tooltip label={wrap ? 'Do not wrap lines' : 'Wrap lines'}>
            <ActionIcon size="sm" aria-pressed={wrap} aria-label="Wrap lines" onClick={() => setWrap(!wrap)}>
              <Icon name="wrap" size={14} />
            </ActionIcon>
          </Tooltip>
          <CopyButton value={text} label={`Copy ${title.toLowerCase()}`} />
        </span>
      </div>
      {/* A region that scrolls must be reachable by keyboard. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className={classes.text} data-wrap={wrap || undefined} tabIndex={0} role="region" aria-label={title}>
        {text === '' ? empty : <Visible text={text} />}
      </pre>
    </div>
  );
}

/** One line of a file with its number, as the host has it. */
export function SourceLine({ path, line, text }: { path: string; line: number | null; text: string | null }) {
  const place = line === null ? path : `${path}:${line}`;
  return (
    <div className={classes.block}>
      <div className={classes.head}>
        <code>{place}</code>
        <CopyButton value={place} label="Copy place" />
      </div>
      {text !== null && (
        <pre className={classes.text} data-wrap>
          <span className={classes.line}>
            <span className={classes.number}>{line}</span>
            <span>
              <Visible text={text} />
            </span>
          </span>
        </pre>
      )}
    </div>
  );
}

const SHOWN_HASH_LENGTH = 16;

/** A hash, shortened on the screen and whole when copied. */
export function Hash({ value, label }: { value: string; label: string }) {
  return (
    <span className={classes.hashRow}>
      <code className={classes.hash} title={value}>
        {value.slice(0, SHOWN_HASH_LENGTH)}…
      </code>
      <CopyButton value={value} label={`Copy ${label}`} />
    </span>
  );
}
