{#- Exceptions as events of the operations EventHub. -#}

{#- Region the events name, a text literal. -#}
{% macro region() -%} {{ text_literal(env_var('PLURA_REGION', '') | trim or 'kr') }} {%- endmacro %}

{#-
  Events of the exceptions of a domain whose state was not published yet: a CRITICAL exception that was opened, reopened,
  changed or resolved since its last event, and one that fell below CRITICAL while it was published to be firing. The whole
  ledger is compared, not what this run wrote, so that a run that dies before its events leaves them to the next.

  No wallet is named. Ids in an event are salted: the id of an exception in the ledger is a plain hash over its wallet,
  and wallets are few enough to try them all. A new salt does not change the keys of an exception that was published already.
-#}
{% macro exception_events(domain) -%}
    ledger as (

        select * from {{ ref('exception_ledger') }}
        where domain = '{{ domain }}'

    ),

    outbox as (

        select * from {{ ref('event_outbox') }}

    ),

    newest as (

        select coalesce(max(sequence), 0) as last_sequence from outbox

    ),

    -- what was last published of each exception
    published as (

        select * from (
            select *, row_number() over (partition by exception_id order by revision desc) as age from outbox
        ) as aged
        where age = 1

    ),

    -- for those who were published of it, an exception below CRITICAL is over
    current_state as (

        select
            *,
            case when severity = 'CRITICAL' and resolved_at is null then 'firing' else 'resolved' end as status,
            case when severity <> 'CRITICAL' and resolved_at is null then 'LOWERED' else resolution end as outcome
        from ledger

    ),

    digested as (

        select *, {{ row_id(['status', 'metric_value', 'message', 'outcome']) }} as state_digest
        from current_state

    ),

    unpublished as (

        select
            digested.*,
            published.status as published_status,
            published.starts_at as published_starts_at,
            coalesce(published.revision, 0) + 1 as revision,
            coalesce(published.exception_key, {{ sha256_hex("concat(digested.exception_id, " ~ salt() ~ ")") }}) as exception_key,
            case
                when digested.subject is not null
                    then coalesce(published.subject_key, {{ sha256_hex("concat(digested.subject, " ~ salt() ~ ")") }})
            end as subject_key,
            coalesce(published.salt_version, {{ salt_version() }}) as salt_version
        from digested
        left join published on digested.exception_id = published.exception_id
        where (digested.severity = 'CRITICAL' and (published.state_digest is null or published.state_digest <> digested.state_digest))
            or (digested.severity <> 'CRITICAL' and published.status = 'firing')

    ),

    identified as (

        select
            unpublished.*,
            {{ row_id(['exception_key', 'revision', 'state_digest', epoch_us('updated_at')]) }} as event_id,
            newest.last_sequence + row_number() over (order by unpublished.updated_at, unpublished.exception_id) as sequence,
            case
                when unpublished.status = 'firing' and unpublished.published_status is null then 'opened'
                when unpublished.status = 'firing' and unpublished.published_status = 'resolved' then 'reopened'
                when unpublished.status = 'resolved' and coalesce(unpublished.published_status, 'firing') = 'firing' then 'resolved'
                else 'changed'
            end as transition,
            -- each time it opens, a new alert starts
            case
                when unpublished.status = 'firing' and coalesce(unpublished.published_status, 'resolved') = 'resolved' then unpublished.updated_at
                else coalesce(unpublished.published_starts_at, unpublished.generated_at)
            end as starts_at,
            case when unpublished.status = 'resolved' then coalesce(unpublished.resolved_at, unpublished.updated_at) end as ends_at
        from unpublished
        cross join newest

    ),

    final as (

        select
            event_id,
            cast(sequence as bigint) as sequence,
            exception_id,
            cast(revision as bigint) as revision,
            status,
            transition,
            starts_at,
            exception_key,
            subject_key,
            salt_version,
            state_digest,
            {{ exception_event() }} as event,
            {{ run_id() }} as run_id,
            {{ as_of() }} as created_at
        from identified

    )
{%- endmacro %}

{#- The event as JSON (python_jobs/publish/lake_exception.v1.json), from the columns of exception_events. -#}
{% macro exception_event() -%}
    {{ json_object({
        'event_id': json_string('event_id'),
        'ts': json_instant('updated_at'),
        'region': json_string(region()),
        'source': "'\"lake\"'",
        'type': "'\"ops.alert.lake.exception\"'",
        'severity': "case status when 'firing' then '\"critical\"' else '\"info\"' end",
        'payload': json_object({
            'version': "'1'",
            'status': json_string('status'),
            'transition': json_string('transition'),
            'revision': 'cast(revision as string)',
            'labels': json_object({
                'alertname': json_string('exception_type'),
                'severity': "'\"critical\"'",
                'domain': json_string('domain'),
                'date_kst': json_string('cast(date_kst as string)'),
                'source_table': json_string("coalesce(source_table, '')"),
                'exception_key': json_string('exception_key'),
            }),
            'starts_at': json_instant('starts_at'),
            'ends_at': json_instant('ends_at'),
            'resolution': json_string('outcome'),
            'window_start': json_instant('window_start_ts'),
            'window_end': json_instant('window_end_ts'),
            'metric': json_string('metric'),
            'metric_value': json_string('cast(metric_value as string)'),
            'figures': "coalesce(message, '{}')",
            'subject_key': json_string('subject_key'),
            'salt_version': json_string('salt_version'),
            'rule_id': json_string('rule_id'),
            'run_id': json_string('run_id'),
        }),
        'links': "'[]'",
    }) }}
{%- endmacro %}
