{#-
  Salt of the pseudonyms, as an expression: a value of gold.int_pseudonym_salt, which a Python model fills from the secret
  scope on Databricks, else from the environment. The value is in no compiled SQL, and so in no artifact, no query
  history and no log. Only a salt whose fingerprint is recorded is used.
-#}
{% macro salt() -%}
    {{ return(
        '(select max(current_salt.salt) from ' ~ ref('int_pseudonym_salt') ~ ' as current_salt inner join '
        ~ ref('pseudonym_salt_version') ~ ' as recorded on current_salt.salt_version = recorded.salt_version)'
    ) }}
{%- endmacro %}

{#- Which salt the pseudonyms were made with, so that a change of salt is visible. -#}
{% macro salt_version() -%}
    {{ return('(select max(salt_version) from ' ~ ref('int_pseudonym_salt') ~ ')') }}
{%- endmacro %}

{#-
  Stops a run before its first node if the salt of the environment cannot be used: if it is refused, or is not the one
  with which the keys of its version were made. The secret of a Databricks workspace is checked by the notebook that reads it.
-#}
{% macro refuse_salt() -%} {{ adapter.dispatch('refuse_salt', 'plura')() }} {%- endmacro %}

{% macro default__refuse_salt() -%}
    {%- if execute and flags.WHICH in ('run', 'build') -%}
        {%- set versions = load_relation(api.Relation.create(database=target.database or none, schema='gold', identifier='pseudonym_salt_version')) -%}
        {%- set known = [] -%}
        {%- for row in run_query('select salt_version, fingerprint from ' ~ versions).rows -%}
            {%- do known.append([row[0], row[1]]) -%}
        {%- endfor -%}
        {%- set problem = salt_problem(tojson(known)) -%}
        {%- if problem -%}
            {%- do exceptions.raise_compiler_error(problem) -%}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{% macro databricks__refuse_salt() -%} {%- endmacro %}

{#- Why the salt of the environment cannot be used, given the versions and fingerprints that are known; else empty. -#}
{% macro salt_problem(known) -%} {{ return(adapter.dispatch('salt_problem', 'plura')(known)) }} {%- endmacro %}
{% macro default__salt_problem(known) -%} {{ return(adapter.salt_problem(known)) }} {%- endmacro %}
{% macro duckdb__salt_problem(known) -%}
    {{ return(run_query('select plura_salt_problem(' ~ text_literal(known) ~ ')').rows[0][0]) }}
{%- endmacro %}
