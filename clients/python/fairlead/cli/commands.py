"""Groups of commands that take `--output` after their names as well, where people type it."""

import inspect
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Annotated, Any, TypeVar

import typer

from fairlead.cli.output import Format
from fairlead.cli.settings import settings

F = TypeVar("F", bound=Callable[..., Any])
OutputOption = Annotated[Format, typer.Option("--output", "-o", help="How to write data.")]
_Late = Annotated[Format | None, typer.Option("--output", "-o", help="How to write data.")]


class Commands(typer.Typer):
    """A group whose commands begin with the parameter `context`."""

    def command(self, name: str | None = None, **how: Any) -> Callable[[F], F]:
        register = super().command(name, **how)

        def added(function: F) -> F:
            register(_with_output(function))
            return function

        return added


def _with_output(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def command(context: typer.Context, *, output: Format | None = None, **arguments: Any) -> Any:
        if output is not None:
            context.obj = replace(settings(context), output=output)
        return function(context, **arguments)

    signature = inspect.signature(function)
    late = inspect.Parameter("output", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_Late)
    parameters = [*signature.parameters.values(), late]
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # what Typer reads
    command.__annotations__ = {**function.__annotations__, "output": _Late}
    return command
