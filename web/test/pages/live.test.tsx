import { act, screen, waitFor } from '@testing-library/react';
import { describe, expect, it, vi } from 'vitest';
import { EventStream, parseEvent } from '@/api/events/stream';
import { RUNNING_HOST, RUNNING_SCAN, uuid } from '../fixture/data';
import { FakeEventSource } from '../fixture/eventSource';
import { asked, renderApp } from '../fixture/render';
import { createFixture, json } from '../fixture/server';

const about = (hostId: string, scanId: string) => ({ subject: { type: 'scan', id: scanId }, host_id: hostId, data: {} });

describe('live changes', () => {
  it('ac:ui-10 reads one changed host again, and no list', async () => {
    const fixture = createFixture();
    renderApp('/hosts', fixture);
    await screen.findByRole('link', { name: 'db-01' });
    // What was read before the stream began is read once more.
    act(() => FakeEventSource.newest.open());
    await waitFor(() => expect(asked(fixture, 'GET /hosts')).toBe(2));
    const host = fixture.hosts[0];
    fixture.hosts = fixture.hosts.map((entry) => (entry === host ? { ...entry, state: 'failed' } : entry));

    act(() => {
      FakeEventSource.newest.send('scan.failed', about(uuid(1, 1), uuid(2, 1)), '7');
      FakeEventSource.newest.send('scan.failed', about(uuid(1, 1), uuid(2, 1)), '8');
    });
    const row = screen.getByRole('link', { name: 'db-01' }).closest('tr');
    await waitFor(() => expect(row).toHaveTextContent('Scan failed'));
    expect(asked(fixture, `GET /hosts/${uuid(1, 1)}`)).toBe(1);
    expect(asked(fixture, 'GET /hosts')).toBe(2);
  });

  it('ac:ui-10 reads the list once when very many rows change', async () => {
    const fixture = createFixture(30);
    renderApp('/hosts', fixture);
    await screen.findByRole('link', { name: 'db-01' });
    act(() => FakeEventSource.newest.open());
    await waitFor(() => expect(asked(fixture, 'GET /hosts')).toBe(2));
    act(() =>
      fixture.hosts.forEach((host, index) =>
        FakeEventSource.newest.send('scan.completed', about(host.id, uuid(2, index)), String(index)),
      ),
    );
    await waitFor(() => expect(asked(fixture, 'GET /hosts')).toBe(3));
    expect(fixture.log.filter((line) => line.startsWith('GET /hosts/019ab'))).toHaveLength(0);
  });

  it('ac:ui-10 ignores what happens to hosts that are not shown', async () => {
    const fixture = createFixture();
    renderApp('/hosts', fixture);
    await screen.findByRole('link', { name: 'db-01' });
    act(() => {
      FakeEventSource.newest.open();
      FakeEventSource.newest.send('scan.completed', about(uuid(1, 4321), uuid(2, 4321)), '9');
    });
    await waitFor(() => expect(asked(fixture, 'GET /hosts/facets')).toBe(2));
    expect(asked(fixture, `GET /hosts/${uuid(1, 4321)}`)).toBe(0);
  });

  it('ac:ui-10 repaints progress without asking anything', async () => {
    const fixture = createFixture();
    renderApp('/hosts', fixture);
    const row = (await screen.findByRole('link', { name: 'build-01' })).closest('tr');
    const before = fixture.log.length;
    act(() => {
      FakeEventSource.newest.open();
      FakeEventSource.newest.send('scan.progress', { ...about(RUNNING_HOST, RUNNING_SCAN), data: { stage: 'collect', done: 16, total: 64 } });
    });
    expect(row).toHaveTextContent('Collect25 %');
    expect(fixture.log).toHaveLength(before);
  });

  it('ac:ui-10 does not believe an answer that was under way when the event came', async () => {
    const fixture = createFixture();
    const path = `GET /scans/${RUNNING_SCAN}`;
    renderApp(`/scans/${RUNNING_SCAN}`, fixture);
    await screen.findByRole('status', { name: 'Progress of the scan' });
    const old = fixture.scans.find((scan) => scan.id === RUNNING_SCAN);
    let answerOld: (response: Response) => void = () => undefined;
    fixture.overrides.set(path, () => new Promise<Response>((resolve) => (answerOld = resolve)));
    act(() => {
      FakeEventSource.newest.open();
      FakeEventSource.newest.send('scan.started', about(RUNNING_HOST, RUNNING_SCAN), '1');
    });
    await waitFor(() => expect(asked(fixture, path)).toBeGreaterThan(1));

    fixture.overrides.clear();
    fixture.scans = fixture.scans.map((scan) =>
      scan === old ? { ...scan, state: 'cancelled', finished_at: scan.queued_at } : scan,
    );
    act(() => FakeEventSource.newest.send('scan.cancelled', about(RUNNING_HOST, RUNNING_SCAN), '2'));
    expect(await screen.findByRole('heading', { name: 'This scan was cancelled' })).toBeVisible();
    await act(async () => {
      answerOld(json(old));
      await Promise.resolve();
    });
    expect(screen.getByRole('heading', { name: 'This scan was cancelled' })).toBeVisible();
  });

  it('takes a deleted host out of the list', async () => {
    const fixture = createFixture();
    renderApp('/hosts', fixture);
    await screen.findByRole('link', { name: 'db-01' });
    fixture.hosts = fixture.hosts.slice(1);
    act(() => {
      FakeEventSource.newest.open();
      FakeEventSource.newest.send('host.deleted', { subject: { type: 'host', id: uuid(1, 1) }, host_id: uuid(1, 1), data: {} }, '3');
    });
    await waitFor(() => expect(screen.queryByRole('link', { name: 'db-01' })).not.toBeInTheDocument());
  });

  it('ac:ui-11 says live, reconnecting, and live again', async () => {
    renderApp('/hosts');
    await screen.findByRole('link', { name: 'db-01' });
    act(() => FakeEventSource.newest.open());
    expect(screen.getAllByText('Live')[0]).toBeVisible();
    act(() => FakeEventSource.newest.fail(false));
    expect(screen.getAllByText('Reconnecting')[0]).toBeVisible();
    act(() => FakeEventSource.newest.open());
    expect(screen.getAllByText('Live')[0]).toBeVisible();
  });
});

describe('stream', () => {
  function start() {
    vi.useFakeTimers();
    const calls = { onEvent: vi.fn(), onState: vi.fn(), onFresh: vi.fn(), onPoll: vi.fn() };
    const stream = new EventStream(calls);
    stream.start();
    return { ...calls, stream };
  }

  it('ac:ui-11 resumes after the last event when the server ended the stream', () => {
    const { onFresh } = start();
    FakeEventSource.newest.open();
    expect(onFresh).toHaveBeenCalledTimes(1);
    FakeEventSource.newest.send('host.updated', { subject: { type: 'host', id: 'a' }, data: {} }, '42');
    FakeEventSource.newest.fail(true);
    vi.advanceTimersByTime(1_000);
    expect(FakeEventSource.all).toHaveLength(2);
    expect(FakeEventSource.newest.url).toBe('/api/v1/events?last_event_id=42');
    FakeEventSource.newest.open();
    expect(onFresh).toHaveBeenCalledTimes(1);
  });

  it('ac:ui-11 tries less and less often while it is refused', () => {
    start();
    FakeEventSource.newest.fail(true);
    vi.advanceTimersByTime(1_000);
    FakeEventSource.newest.fail(true);
    vi.advanceTimersByTime(1_000);
    expect(FakeEventSource.all).toHaveLength(2);
    vi.advanceTimersByTime(1_000);
    expect(FakeEventSource.all).toHaveLength(3);
  });

  it('ac:ui-11 polls while the stream is away, and stops when it is back', () => {
    const { onPoll, onState } = start();
    FakeEventSource.newest.open();
    FakeEventSource.newest.fail(false);
    vi.advanceTimersByTime(7_900);
    expect(onPoll).not.toHaveBeenCalled();
    vi.advanceTimersByTime(10_200);
    expect(onPoll).toHaveBeenCalledTimes(2);
    expect(onState).toHaveBeenLastCalledWith('polling');
    FakeEventSource.newest.open();
    vi.advanceTimersByTime(60_000);
    expect(onPoll).toHaveBeenCalledTimes(2);
    expect(onState).toHaveBeenLastCalledWith('live');
  });

  it('gives the connection back in the background and resumes', () => {
    const { stream } = start();
    FakeEventSource.newest.open();
    FakeEventSource.newest.send('host.updated', { subject: { type: 'host', id: 'a' }, data: {} }, '5');
    const first = FakeEventSource.newest;
    stream.pause();
    expect(first.readyState).toBe(FakeEventSource.CLOSED);
    stream.start();
    expect(FakeEventSource.newest.url).toContain('last_event_id=5');
  });

  it('reads everything again when the log was reset', () => {
    const { onFresh } = start();
    FakeEventSource.newest.open();
    FakeEventSource.newest.send('stream.reset', { last_id: 3 }, '3');
    expect(onFresh).toHaveBeenCalledTimes(2);
  });

  it.each(['', 'not json', '[]', '{"subject":{"type":"host"}}', 'null'])('drops what is no event: %s', (text) => {
    expect(parseEvent('host.updated', text)).toBeNull();
  });
});
