-- Statements that store how far a file was read.

-- name: progress
select bytes_done, lines_done, events, failed
from bo.backfills
where file_digest = %(file_digest)s and kind = %(kind)s and selection = %(selection)s and finished_at is null

-- name: keep_progress
insert into bo.backfills (
    file_digest, kind, selection, bytes_done, lines_done, events, failed, started_at, finished_at
) values (
    %(file_digest)s, %(kind)s, %(selection)s, %(bytes_done)s, %(lines_done)s, %(events)s, %(failed)s,
    %(started_at)s, case when %(finished)s then now() end
)
on conflict (file_digest, kind, selection) do update set
    bytes_done = excluded.bytes_done,
    lines_done = excluded.lines_done,
    events = excluded.events,
    failed = excluded.failed,
    started_at = excluded.started_at,
    finished_at = excluded.finished_at
