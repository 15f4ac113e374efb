import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { importQuery, useAnalyzeFile, useImportFile } from '@/api/queries/imports';
import formClasses from '@/components/Form.module.css';
import { Card } from '@/components/Page';
import { ErrorBanner } from '@/components/States';
import { plural } from '@/format/number';
import type { Chosen } from './FileChoice';
import classes from './Import.module.css';
import { ImportResult } from './ImportResult';
import { ImportWishes } from './ImportWishes';
import { MappingTable } from './MappingTable';
import { describeFile, isOver, mapOf, namesHosts, optionsOf, suggestedMapping, USUAL, type Mapping, type Wanted } from './model';

interface Props {
  chosen: Chosen;
  onOther: () => void;
}

/** What the file holds, what is to happen with it, and what would. */
export function ImportFile({ chosen, onOther }: Props) {
  const { file, name } = chosen;
  const navigate = useNavigate();
  const [mapping, setMapping] = useState<Mapping>(() => suggestedMapping(chosen.analysis));
  const [wanted, setWanted] = useState<Wanted>(USUAL);
  const [trialId, setTrialId] = useState<string | null>(null);
  const again = useAnalyzeFile();
  const start = useImportFile();
  const trial = useQuery({ ...importQuery(trialId ?? ''), enabled: trialId !== null });
  const analysis = again.data ?? chosen.analysis;
  const source = { file_name: name, format: analysis.format, map: mapOf(chosen.analysis, mapping) };
  const ready = namesHosts(mapping);
  const sending = start.isPending ? (start.variables.options.dry_run ? 'trial' : 'import') : null;
  const trying = sending === 'trial' || (trial.data !== undefined && !isOver(trial.data));

  // What is shown must be about the columns that are chosen.
  const check = again.mutate;
  const maps = source.map.join('\n');
  useEffect(() => {
    if (ready) check({ file, source: { format: chosen.analysis.format, map: maps.split('\n') }, key: wanted.key });
  }, [check, chosen.analysis.format, file, maps, ready, wanted.key]);

  const change = (next: () => void) => {
    next();
    setTrialId(null);
    start.reset();
  };
  const begin = (dryRun: boolean) =>
    start.mutate(
      { file, source, options: optionsOf(wanted, dryRun) },
      {
        onSuccess: ({ id }) => {
          if (dryRun) setTrialId(id);
          else void navigate({ to: '/hosts/imports/$importId', params: { importId: id } });
        },
      },
    );
  return (
    <div className={classes.column}>
      <Card title="The file" aside={<Button variant="subtle" onClick={onOther}>Choose another</Button>}>
        <p className={classes.fact}>
          <b>{name ?? 'Pasted text'}</b>: {plural(analysis.total, 'row')}, {describeFile(analysis)}.
        </p>
        <Remarks analysis={analysis} />
      </Card>
      <MappingTable
        analysis={analysis}
        mapping={mapping}
        onChange={(next) => change(() => setMapping(next))}
        unnamed={!ready}
      />
      <ImportWishes wanted={wanted} onChange={(patch) => change(() => setWanted({ ...wanted, ...patch }))} />
      {trial.data && (
        <Card title="What would happen">
          <ImportResult found={trial.data} />
        </Card>
      )}
      <ErrorBanner error={start.error ?? again.error ?? trial.error} />
      <div className={formClasses.actions}>
        <Button
          size="sm"
          disabled={!ready}
          loading={sending === 'import'}
          onClick={() => begin(false)}
        >
          Import {plural(analysis.total - analysis.refused, 'host')}
        </Button>
        <Button
          size="sm"
          variant="default"
          disabled={!ready}
          loading={trying}
          onClick={() => begin(true)}
        >
          Try without changing anything
        </Button>
      </div>
    </div>
  );
}

function Remarks({ analysis: { refused, problems, remarks } }: { analysis: Chosen['analysis'] }) {
  const said = [
    ...problems.map((problem) => ({ ...problem, tone: 'fail' })),
    ...remarks.map((remark) => ({ ...remark, tone: 'soft' })),
  ];
  if (said.length === 0) return <p className={classes.hint}>Every row can be read.</p>;
  return (
    <details className={classes.remarks} open={said.length <= 8}>
      <summary>
        {refused > 0 && <b className={classes.refused}>{plural(refused, 'row is refused', 'rows are refused')}. </b>}
        {remarks.length > 0 && plural(remarks.length, 'remark')}
      </summary>
      <ul>
        {said.map(({ line, text, tone }, index) => (
          <li key={index} data-tone={tone}>
            <span className={classes.line}>line {line}</span> {text}
          </li>
        ))}
      </ul>
    </details>
  );
}
