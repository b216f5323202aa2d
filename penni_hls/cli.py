"""The command line. Exit code 0: done. 1: a check failed (a mismatch, a budget exceeded). 2: bad input or usage."""

from __future__ import annotations

import errno
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import typer

from . import __version__
from .backends.children import end_with_signals
from .commands.boards import boards
from .commands.build import build
from .commands.compress import compress
from .commands.doctor import doctor
from .commands.evaluate import evaluate
from .commands.export import export
from .commands.generate import generate
from .commands.inspect import inspect
from .commands.report import report
from .commands.schedule import schedule
from .commands.simulate import simulate
from .commands.synth import synth
from .commands.timeline import timeline
from .commands.train import train
from .commands.training import follower
from .errors import Interrupted, PenniError

LEADER_SPEAKS = 10.0  # seconds that a failed follower waits before it ends
INTERRUPTED = 130  # what typer returns after a KeyboardInterrupt
ClickException = typer.BadParameter.__mro__[2]  # the base of usage errors; typer does not export it

app = typer.Typer(
    name="penni-hls",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for command in (
    train,
    compress,
    inspect,
    export,
    schedule,
    generate,
    evaluate,
    simulate,
    synth,
    build,
    timeline,
    report,
    boards,
    doctor,
):
    app.command()(command)


def _version(value: bool) -> None:
    if value:
        print(f"penni-hls {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Turn PENNI-compressed CNNs into streaming FPGA accelerators, equal to the last bit in Python, C++ and RTL.

    \b
    Typical use:
      penni-hls compress --arch resnet20 --weights dense.pt --data cifar-10-batches-bin -o r20_penni.pt
      penni-hls inspect  r20_penni.pt
      penni-hls generate r20_penni.pt --board pynq-z2 -o build/r20
      penni-hls simulate build/r20 --engine rtl --count 2
    """


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit."""
    args = list(sys.argv[1:] if arguments is None else arguments)
    end_with_signals()  # SIGTERM and SIGHUP, too, leave no partial files
    code = run(args)
    if os.environ.get("WORLD_SIZE", "1") != "1":  # under torchrun: threads of torch.distributed may abort at exit
        sys.stdout.flush()
        sys.stderr.flush()
        if code and follower():
            _leave_the_word_to_the_leader()
        os._exit(code)
    sys.exit(code)


def _leave_the_word_to_the_leader() -> None:
    """torchrun ends all processes when one fails: where all do, the first one must have said why by then."""
    with suppress(KeyboardInterrupt):  # what SIGTERM raises here
        time.sleep(LEADER_SPEAKS)


def run(args: list[str]) -> int:
    """Run one command; its exit code."""
    as_json = "--json" in args
    try:
        code = app(args=args, prog_name="penni-hls", standalone_mode=False) or 0
        return _fail("interrupted", as_json, INTERRUPTED) if code == INTERRUPTED else code
    except ClickException as error:
        context = getattr(error, "ctx", None)
        if type(error).__name__ == "NoArgsIsHelpError":
            print(error.format_message(), file=sys.stderr)
            return 2
        where = f"; try '{context.command_path} --help'" if context else ""
        return _fail(error.format_message().rstrip(".") + where, as_json)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the pipe is closed: no error at exit
        return 1
    except Interrupted as error:
        return _fail(str(error), as_json, INTERRUPTED)
    except PenniError as error:
        return _fail(str(error), as_json)
    except ModuleNotFoundError as error:
        if (package := str(error.name).split(".")[0]) == __package__:
            raise
        what = f"the Python package {package} is not installed, and this command needs it"
        return _fail(f"{what}: 'make setup' in a checkout, or pip install {package}", as_json)
    except MemoryError as error:
        return _fail(f"not enough memory: {error or 'use fewer or smaller images'}", as_json)
    except OSError as error:
        full = "; free some space there" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return _fail(f"{error.filename or 'file access'}: {error.strerror or error}{full}", as_json)


def _fail(message: str, as_json: bool, code: int = 2) -> int:
    """Print one line on stderr, or one JSON object on stdout; under torchrun only the first process prints."""
    if follower():
        return code
    line = " ".join(message.split())
    if as_json:
        print(json.dumps({"error": line}))
    else:
        print(f"penni-hls: error: {line}", file=sys.stderr)
    return code
