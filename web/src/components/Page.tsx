import type { ReactNode } from 'react';
import { useDocumentTitle } from '@mantine/hooks';
import { Link } from '@tanstack/react-router';
import { count } from '@/format/number';
import { Icon } from './Icon';
import classes from './Page.module.css';

export interface Crumb {
  to: '/hosts' | '/groups' | '/scans' | '/rules' | '/credentials';
  label: string;
}

interface PageProps {
  title: string;
  /** Shown after the title; a list's total. */
  total?: number | null;
  crumb?: Crumb;
  /** Beside the title: a state, a badge. */
  badge?: ReactNode;
  sub?: ReactNode;
  actions?: ReactNode;
  narrow?: boolean;
  children: ReactNode;
}

/** The frame of every page: heading, facts about it, actions, content. */
export function Page({ title, total, crumb, badge, sub, actions, narrow = false, children }: PageProps) {
  useDocumentTitle(`${title} · OpenWatch`);
  return (
    <div className={narrow ? `${classes.page} ${classes.narrow}` : classes.page}>
      <header className={classes.header}>
        <div className={classes.heading}>
          {crumb && (
            <nav className={classes.crumbs} aria-label="Breadcrumb">
              <Link to={crumb.to}>{crumb.label}</Link>
              <Icon name="chevronRight" size={12} />
            </nav>
          )}
          <div className={classes.title}>
            <h1>{title}</h1>
            {typeof total === 'number' && <span className={classes.count}>{count(total)}</span>}
            {badge}
          </div>
          {sub && <div className={classes.sub}>{sub}</div>}
        </div>
        {actions && <div className={classes.actions}>{actions}</div>}
      </header>
      {children}
    </div>
  );
}

interface CardProps {
  title?: string;
  aside?: ReactNode;
  /** Content that brings its own padding, such as a table. */
  flush?: boolean;
  className?: string;
  children: ReactNode;
}

export function Card({ title, aside, flush = false, className, children }: CardProps) {
  return (
    <section className={className ? `${classes.card} ${className}` : classes.card} aria-label={title}>
      {title && (
        <div className={classes.cardHead}>
          <h2>{title}</h2>
          {aside}
        </div>
      )}
      {flush ? children : <div className={classes.cardBody}>{children}</div>}
    </section>
  );
}

/** Name and value pairs; a value that is absent says so in words. */
export function Facts({ rows }: { rows: readonly (readonly [name: string, value: ReactNode])[] }) {
  return (
    <dl className={classes.facts}>
      {rows.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>{name}</dt>
          <dd>{value ?? <span style={{ color: 'var(--ow-text-faint)' }}>not known yet</span>}</dd>
        </div>
      ))}
    </dl>
  );
}
