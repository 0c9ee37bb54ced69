"""Lets the many dbt runs of one test process share what is the same in each of them.

A run of a handful of rows takes dbt several seconds, of which DuckDB needs a fifth: dbt compiles the template of every
node, wraps every macro of the project twice per node, and builds thousands of log events that nobody reads. Nothing
here changes what a run does. The processes that tests start (`plura lake run`, `dbt build`) do without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from types import CodeType
from typing import Any

from dbt.clients.jinja import MacroGenerator
from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
from dbt.context.manifest import ManifestContext
from dbt.contracts.graph.nodes import Macro
from dbt_common.clients import agate_helper
from dbt_common.clients.jinja import MacroFuzzEnvironment, NativeSandboxEnvironment
from dbt_common.events.base_types import BaseEvent, EventLevel
from dbt_common.events.event_manager import EventManager
from jinja2 import Environment

_compile = Environment.compile
_codes: dict[tuple[type[Environment], str], CodeType] = {}


def _compile_once(environment: Environment, source: Any, *arguments: Any, **named: Any) -> Any:
    """Compile a template of dbt's environments once; they differ in nothing but their class."""
    if not isinstance(source, str) or arguments or named:
        return _compile(environment, source, *arguments, **named)
    key = (type(environment), source)
    if key not in _codes:
        _codes[key] = _compile(environment, source)
    return _codes[key]


def _add_macros(builder: MacroNamespaceBuilder, macros: Iterable[Macro], context: dict[str, Any]) -> None:
    """Add the macros of one package as `MacroNamespaceBuilder.add_macro` adds each, without its three constructors."""
    shared = {"context": context, "node": builder.node, "stack": builder.thread_ctx}
    wrapped: dict[str, MacroGenerator] = {}
    package = ""
    for macro in macros:
        generator = _new_generator(MacroGenerator)
        generator.__dict__ = {"macro": macro, **shared}
        wrapped[macro.name] = generator
        package = macro.package_name
    if package in builder.internal_package_names:
        builder.internal_packages[package] = wrapped
    elif package:
        builder.packages[package] = wrapped
        if package == builder.search_package:
            builder.locals.update(wrapped)
        elif package == builder.root_package:
            builder.globals.update(wrapped)


_new_generator = MacroGenerator.__new__


def merged(namespace: MacroNamespace) -> dict[str, Any]:
    """Every macro and package by its name: of one name the first in the search order, as `dict(namespace)` has it."""
    found: dict[str, Any] = {}
    for names in reversed(list(namespace._search_order())):
        found.update(names)
    return found


def _context(manifest_context: ManifestContext) -> dict[str, Any]:
    """Put every macro and package into the context of a template."""
    if not isinstance(manifest_context.namespace, MacroNamespace):
        return _to_dict(manifest_context)
    context: dict[str, Any] = super(ManifestContext, manifest_context).to_dict()
    context.update(merged(manifest_context.namespace))
    return context


_to_dict: Callable[[ManifestContext], dict[str, Any]] = ManifestContext.to_dict


def _remember(event: BaseEvent, *arguments: Any, **fields: Any) -> None:
    """Keep the fields of an event; its message is built when somebody reads it."""
    if arguments:
        _construct(event, *arguments, **fields)
    else:
        object.__setattr__(event, "_fields", fields)


_construct = BaseEvent.__init__
_read: Callable[[BaseEvent, str], Any] = BaseEvent.__getattr__
_fire = EventManager.fire_event


def _read_message(event: BaseEvent, name: str) -> Any:
    if "_fields" in event.__dict__:
        _construct(event, **event.__dict__.pop("_fields"))
    return _read(event, name)


def _fire_if_heard(
    manager: EventManager, event: BaseEvent, level: EventLevel | None = None, *rest: Any, **named: Any
) -> None:
    """Drop what is for debugging unless a log takes it; the callbacks of the lake's runs need none of it."""
    if (level or event.level_tag()) is EventLevel.DEBUG and all(
        logger.level is not EventLevel.DEBUG for logger in manager.loggers
    ):
        return
    _fire(manager, event, level, *rest, **named)


_build_type_tester = agate_helper.build_type_tester


@cache
def _tester(text_columns: frozenset[str], null_values: tuple[str, ...]) -> Any:
    return _build_type_tester(text_columns, null_values)


def _type_tester(text_columns: Iterable[str], string_null_values: Iterable[str] | None = ("null", "")) -> Any:
    return _tester(frozenset(text_columns), tuple(string_null_values or ()))


INSTEAD: tuple[tuple[Any, str, Any], ...] = (
    (MacroFuzzEnvironment, "compile", _compile_once),
    (NativeSandboxEnvironment, "compile", _compile_once),
    (MacroNamespaceBuilder, "add_macros", _add_macros),
    (ManifestContext, "to_dict", _context),
    (BaseEvent, "__init__", _remember),
    (BaseEvent, "__getattr__", _read_message),
    (EventManager, "fire_event", _fire_if_heard),
    (agate_helper, "build_type_tester", _type_tester),
)
"""What takes the place of which method or function of dbt."""


def install() -> None:
    """Put all this in place, for the rest of the process."""
    for owner, name, quick in INSTEAD:
        setattr(owner, name, quick)
