import { Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Failing, Score } from '@/api/types';
import { SEVERITIES } from '@/api/types';
import { count, percent, plural } from '@/format/number';
import classes from './Score.module.css';
import { SEVERITY_LABEL } from './verdict';

/** The numbers that make up a score. */
export type ScoreParts = Pick<Score, 'value' | 'pass' | 'fail' | 'error'> & Partial<Score>;

/** How a score reads aloud: always with its numerator and denominator. */
export function scoreSentence(score: ScoreParts | null | undefined): string {
  if (score?.value == null) return 'No data: no rule has been measured yet.';
  const measured = score.pass + score.fail + score.error;
  const unmeasured = score.error > 0 ? ` ${plural(score.error, 'rule')} could not be measured.` : '';
  return `${percent(score.value)} %: ${count(score.pass)} of ${count(measured)} rules pass.${unmeasured}`;
}

export function ScoreTooltip({ score, children }: { score: ScoreParts | null; children: ReactNode }) {
  return (
    <Tooltip multiline maw={280} label={<ScoreExplained score={score} />}>
      {children}
    </Tooltip>
  );
}

function ScoreExplained({ score }: { score: ScoreParts | null }) {
  if (score?.value == null) return <span>No data: no rule has been measured yet.</span>;
  const outside = (score.not_applicable ?? 0) + (score.manual ?? 0) + (score.not_configured ?? 0);
  return (
    <span className={classes.tooltip}>
      <b>
        {count(score.pass)} pass ÷ {count(score.pass + score.fail + score.error)} measured or in error
      </b>
      <span>
        {count(score.fail)} fail, {count(score.error)} could not be measured
      </span>
      {outside > 0 && <span>{count(outside)} outside the score (not applicable, manual, not configured)</span>}
      {typeof score.coverage === 'number' && <span>Coverage {percent(score.coverage)} % of all rules</span>}
      {score.formula && <span>score = {score.formula}</span>}
    </span>
  );
}

/** Score and its composition in one table cell. */
export function ScoreBar({ score }: { score: ScoreParts | null }) {
  if (score?.value == null) return <span className={classes.none}>no data</span>;
  return (
    <ScoreTooltip score={score}>
      <span className={classes.barCell} role="img" aria-label={scoreSentence(score)}>
        <span className={classes.value} aria-hidden="true">
          {percent(score.value)}
          <span className={classes.unit}>%</span>
        </span>
        <CompositionBar parts={[['pass', score.pass], ['fail', score.fail], ['error', score.error]]} />
      </span>
    </ScoreTooltip>
  );
}

export type BarTone = 'pass' | 'fail' | 'error' | 'neutral' | 'manual' | 'unset';

/** Proportions only; the numbers stand beside it. */
export function CompositionBar({ parts }: { parts: readonly (readonly [tone: BarTone, value: number])[] }) {
  return (
    <span className={classes.bar} aria-hidden="true">
      {parts.map(([tone, value]) =>
        value > 0 ? (
          <span key={tone} className={`${classes.segment} ${classes[tone]}`} style={{ flexGrow: value }} />
        ) : null,
      )}
    </span>
  );
}

/** Failing rules per severity: critical, high, medium, low. */
export function SeverityCounts({ failing }: { failing: Failing }) {
  const spoken = SEVERITIES.map((name) => `${count(failing[name])} ${SEVERITY_LABEL[name].toLowerCase()}`);
  return (
    <span className={classes.counts} role="img" aria-label={`Failing: ${spoken.join(', ')}`}>
      {SEVERITIES.map((name) => (
        <span
          key={name}
          className={classes.count}
          data-severity={name}
          data-zero={failing[name] === 0 || undefined}
          title={`${count(failing[name])} failing, ${SEVERITY_LABEL[name].toLowerCase()}`}
          aria-hidden="true"
        >
          {count(failing[name])}
          <span className={classes.letter}>{SEVERITY_LABEL[name].charAt(0)}</span>
        </span>
      ))}
    </span>
  );
}
