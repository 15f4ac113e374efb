import { Collapse, UnstyledButton } from '@mantine/core';
import { useState } from 'react';
import type { Observation } from '@/api/types';
import { CodeBlock, SourceLine } from '@/components/CodeBlock';
import { Icon } from '@/components/Icon';
import { plural } from '@/format/number';
import { Visible } from '@/components/Visible';
import classes from './Outcomes.module.css';

type Tone = 'pass' | 'fail' | 'error';

const TONE_TEXT: Record<Tone, string> = {
  pass: 'As expected',
  fail: 'Not as expected',
  error: 'Could not be measured',
};

/** One thing that was read, what was expected of it, and the place and bytes that prove it. */
function ObservationCard({ observation }: { observation: Observation }) {
  const tone = toneOf(observation);
  const { source } = observation;
  const name = [observation.subject, observation.field].filter(Boolean).join(' ') || observation.fact;
  return (
    <article className={classes.observation} aria-label={name}>
      <div className={classes.observationHead}>
        <b>{name}</b>
        <code className={classes.fact}>{observation.fact}</code>
      </div>
      <dl className={classes.compare}>
        <div>
          <dt>Expected</dt>
          <dd>
            <Visible text={observation.expected} />
          </dd>
        </div>
        <div data-tone={tone}>
          <dt>
            Actual <span aria-hidden="true">·</span> {TONE_TEXT[tone]}
          </dt>
          <dd>{observation.actual === '' ? '(empty)' : <Visible text={observation.actual} />}</dd>
        </div>
      </dl>
      {observation.problem && (
        <p className={classes.text}>
          <Icon name="warning" size={14} style={{ verticalAlign: -2, marginRight: 6 }} />
          {observation.problem}
        </p>
      )}
      {source && <SourceLine path={source.path} line={source.line ?? null} text={source.text ?? null} />}
      {observation.command && <CodeBlock title="Command" text={observation.command} />}
      {observation.raw && <RawBytes raw={observation.raw} startOpen={tone !== 'pass'} />}
    </article>
  );
}

function RawBytes({ raw, startOpen }: { raw: string; startOpen: boolean }) {
  const [open, setOpen] = useState(startOpen);
  return (
    <div>
      <UnstyledButton onClick={() => setOpen(!open)} aria-expanded={open} fz="sm" mb={open ? 6 : 0}>
        <Icon name={open ? 'chevronDown' : 'chevronRight'} size={14} style={{ verticalAlign: -2, marginRight: 4 }} />
        What the host answered
      </UnstyledButton>
      <Collapse expanded={open}>
        <CodeBlock title="Raw bytes" text={raw} />
      </Collapse>
    </div>
  );
}

function toneOf(observation: Observation): Tone {
  if (observation.satisfied === true) return 'pass';
  return observation.satisfied === false ? 'fail' : 'error';
}

/** What speaks against the host first; what is as expected is folded away when something else is shown. */
export function Observations({ observations }: { observations: readonly Observation[] }) {
  const [open, setOpen] = useState(false);
  const expected = observations.filter((observation) => observation.satisfied === true);
  const others = observations.filter((observation) => observation.satisfied !== true);
  const folded = others.length > 0 && expected.length > 0;
  return (
    <>
      <Cards observations={others} />
      {folded && (
        <UnstyledButton onClick={() => setOpen(!open)} aria-expanded={open} fz="sm">
          <Icon name={open ? 'chevronDown' : 'chevronRight'} size={14} style={{ verticalAlign: -2, marginRight: 4 }} />
          {plural(expected.length, 'value')} as expected
        </UnstyledButton>
      )}
      {(open || !folded) && <Cards observations={expected} />}
    </>
  );
}

function Cards({ observations }: { observations: readonly Observation[] }) {
  return observations.map((observation, index) => (
    <ObservationCard
      key={`${observation.fact} ${observation.subject} ${observation.field} ${index}`}
      observation={observation}
    />
  ));
}
