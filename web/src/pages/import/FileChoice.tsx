import { Button, FileButton, Textarea } from '@mantine/core';
import { useState } from 'react';
import { useAnalyzeFile } from '@/api/queries/imports';
import type { Analysis } from '@/api/types';
import { ButtonLink } from '@/components/ButtonLink';
import formClasses from '@/components/Form.module.css';
import { Icon } from '@/components/Icon';
import { Card } from '@/components/Page';
import { ErrorBanner, ProblemBanner } from '@/components/States';
import { bytes } from '@/format/number';
import classes from './Import.module.css';
import { MAX_FILE_BYTES } from './model';
import { useFileDrop } from './useFileDrop';

export interface Chosen {
  file: Blob;
  name: string | undefined;
  analysis: Analysis;
}

/** A file from the disk, dropped, or pasted as text. */
export function FileChoice({ onChoose }: { onChoose: (chosen: Chosen) => void }) {
  const analyze = useAnalyzeFile();
  const [pasted, setPasted] = useState('');
  const [tooLarge, setTooLarge] = useState<File | null>(null);

  const read = (file: Blob, name?: string) => {
    setTooLarge(null);
    analyze.mutate(
      { file, source: { file_name: name }, key: 'name' },
      { onSuccess: (analysis) => onChoose({ file, name, analysis }) },
    );
  };
  const choose = (file: File | null | undefined) => {
    if (!file) return;
    if (file.size <= MAX_FILE_BYTES) {
      read(file, file.name);
    } else {
      analyze.reset();
      setTooLarge(file);
    }
  };
  const over = useFileDrop(choose);
  return (
    <div className={classes.column}>
      <Card>
        <div className={classes.drop} data-over={over || undefined}>
          <Icon name="upload" size={20} />
          <FileButton onChange={choose}>
            {(button) => (
              <Button {...button} size="sm" loading={analyze.isPending && pasted === ''}>
                Choose a file
              </Button>
            )}
          </FileButton>
          <p>or drop it on this page</p>
          <p className={classes.hint}>
            CSV, one host per line, known_hosts, or an Ansible inventory. At most {bytes(MAX_FILE_BYTES)} and 50,000
            hosts. Nothing is kept before you say so.
          </p>
        </div>
        <Textarea
          classNames={{ input: classes.pasted }}
          label="Or paste it"
          placeholder={'web-1.example.org\nscan@10.0.0.7:2222\n[2001:db8::5]:22'}
          autosize
          minRows={4}
          maxRows={14}
          spellCheck={false}
          value={pasted}
          onChange={(event) => setPasted(event.currentTarget.value)}
        />
      </Card>
      {tooLarge && (
        <ProblemBanner
          tone="fail"
          title={`${tooLarge.name} has ${bytes(tooLarge.size)}; at most ${bytes(MAX_FILE_BYTES)} can be read at once.`}
          fix="Split it, and import one part after the other."
        />
      )}
      <ErrorBanner error={analyze.error} />
      <div className={formClasses.actions}>
        <Button
          size="sm"
          variant="default"
          disabled={pasted.trim() === ''}
          loading={analyze.isPending && pasted !== ''}
          onClick={() => read(new Blob([pasted]))}
        >
          Read the text
        </Button>
        <ButtonLink to="/hosts" variant="subtle" color="gray" size="sm">
          Cancel
        </ButtonLink>
      </div>
    </div>
  );
}
