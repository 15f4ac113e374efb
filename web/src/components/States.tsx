import { Button } from '@mantine/core';
import type { ReactNode } from 'react';
import { toApiError, type ApiError } from '@/api/problem';
import { CopyButton } from './CopyButton';
import { Icon, type IconName } from './Icon';
import { InlineCode } from './InlineCode';
import classes from './States.module.css';

interface EmptyProps {
  icon: IconName;
  title: string;
  children?: ReactNode;
  actions?: ReactNode;
  /** The level of its heading; 1 where it is the whole page. */
  level?: 1 | 2;
}

/** Nothing is here, why, and what to do about it. */
export function EmptyState({ icon, title, children, actions, level = 2 }: EmptyProps) {
  const Heading = `h${level}` as const;
  return (
    <section className={classes.box} aria-label={title}>
      <span className={classes.glyph}>
        <Icon name={icon} size={18} />
      </span>
      <Heading>{title}</Heading>
      {children}
      {actions && <div className={classes.actions}>{actions}</div>}
    </section>
  );
}

interface ErrorProps {
  error: unknown;
  onRetry?: () => void;
  /** What could not be done: "The hosts could not be read." */
  what?: string;
  level?: 1 | 2;
}

/** A whole page or block that failed: the reason, what to do, and the id that finds it in the log. */
export function ErrorState({ error, onRetry, what, level = 2 }: ErrorProps) {
  const Heading = `h${level}` as const;
  const problem = toApiError(error);
  return (
    <section className={classes.box} role="alert">
      <span className={classes.glyph} data-tone="error">
        <Icon name="warning" size={18} />
      </span>
      <Heading>{what ?? 'This could not be read'}</Heading>
      <p>{problem.message}</p>
      {problem.fix && (
        <p>
          <InlineCode text={problem.fix} />
        </p>
      )}
      <ProblemDetails problem={problem} />
      {onRetry && (
        <div className={classes.actions}>
          <Button variant="default" leftSection={<Icon name="refresh" size={14} />} onClick={onRetry}>
            Try again
          </Button>
        </div>
      )}
    </section>
  );
}

function ProblemDetails({ problem }: { problem: ApiError }) {
  return (
    <span className={classes.details}>
      <code>{problem.code}</code>
      {problem.requestId && (
        <span>
          request id <code>{problem.requestId}</code>{' '}
          <CopyButton value={problem.requestId} label="Copy request id" />
        </span>
      )}
    </span>
  );
}

interface BannerProps {
  tone?: 'error' | 'fail';
  title: string;
  fix?: string | null;
  code?: string | null;
  requestId?: string | null;
  children?: ReactNode;
  actions?: ReactNode;
}

/** A problem beside content that is still of use: title says what happened, fix says what to do. */
export function ProblemBanner({ tone = 'error', title, fix, code, requestId, children, actions }: BannerProps) {
  return (
    <div className={classes.banner} data-tone={tone} role="alert">
      <Icon name={tone === 'fail' ? 'failed' : 'warning'} />
      <div className={classes.bannerText}>
        <p className={classes.bannerTitle}>{title}</p>
        {fix && (
          <p className={classes.bannerFix}>
            <InlineCode text={fix} />
          </p>
        )}
        {children}
        {(code ?? requestId) && (
          <span className={classes.details} style={{ justifyContent: 'flex-start' }}>
            {code && <code>{code}</code>}
            {requestId && (
              <span>
                request id <code>{requestId}</code>
              </span>
            )}
          </span>
        )}
      </div>
      {actions && <div className={classes.bannerActions}>{actions}</div>}
    </div>
  );
}

/** A refused action, beside the form or button that asked for it. */
export function ErrorBanner({ error, actions }: { error: unknown; actions?: ReactNode }) {
  if (!error) return null;
  const problem = toApiError(error);
  return (
    <ProblemBanner
      tone="fail"
      title={problem.message}
      fix={problem.fix}
      code={problem.code}
      requestId={problem.requestId}
      actions={actions}
    />
  );
}
