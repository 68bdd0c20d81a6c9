"""The command line: `kpnviz app | synth | denoise | kernels | page | site | train | evaluate | zoo | ...`."""

from __future__ import annotations

import argparse
import errno
import importlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import kpnviz
from kpnviz.commands import burst, page, site
from kpnviz.commands.options import (
    DEVICE_HELP,
    GAIN,
    MOTIONS,
    SEED,
    Parser,
    WrongOptionError,
    add_method,
    add_workers,
    integer,
    number,
)
from kpnviz.commands.stopping import stop_by_exception
from kpnviz.commands.terminal import say, show
from kpnviz.paths import check_output


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 on success, 1 on an error (one sentence on stderr), 2 on wrong usage, 130 when stopped."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.command is None:
        parser.print_help()
        return 0
    try:
        return options.run(options) or 0
    except BrokenPipeError:  # the reader of a pipe has closed it, e.g. `| head`: __main__ ends quietly
        raise
    except (ValueError, OSError) as error:
        if getattr(options, "method", None):
            from kpnviz.methods import print_traceback

            print_traceback(error)
        say(f"kpnviz {options.command}: {error}")
        return 2 if isinstance(error, WrongOptionError) else 1
    except KeyboardInterrupt:
        say(f"kpnviz {options.command}: stopped")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="kpnviz", description="See inside kernel prediction networks for burst denoising.")
    parser.add_argument("--version", action="version", version=f"kpnviz {kpnviz.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")

    app = commands.add_parser("app", help="open the app in a browser")
    app.add_argument("--port", type=integer(1, 65535), default=8501, help="port of the server (8501)")
    app.add_argument(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="address that it listens on (127.0.0.1: this machine alone); 0.0.0.0: every network that it is in",
    )
    app.add_argument("--headless", action="store_true", help="serve without opening a browser")
    add_method(app, "offer this method of your own to everybody who visits; may be given several times", True)
    app.set_defaults(run=_app)

    train = commands.add_parser(
        "train",
        help="train a model of the zoo, or all of them",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  kpnviz train mkpn --photos photos/train --minutes 60 --output mine/mkpn.safetensors\n"
        "  kpnviz train --all --photos photos/train --steps 12000 --output mine\n"
        "  kpnviz train --shared --photos photos/train --steps 21373 --batch 16 --schedule linear\n"
        "  kpnviz train mkpn --start runs/shared --photos photos/train --steps 4000 --output mine/mkpn.safetensors\n"
        "  torchrun --nproc-per-node 2 -m kpnviz train --all --photos photos/train --steps 60000 --output mine\n"
        "Started again, a run goes on where it was last saved (runs/MODEL/state.pt).",
    )
    which = train.add_mutually_exclusive_group(required=True)
    which.add_argument("model", nargs="?", help="a name of the zoo, e.g. mkpn")
    which.add_argument("--all", action="store_true", help="all models that ship, one after the other")
    which.add_argument(
        "--shared",
        action="store_true",
        help="all networks that match together, with one trunk: a --start for each",
    )
    train.add_argument(
        "--start",
        type=Path,
        metavar="DIR",
        help="folder of the checkpoints of a --shared run, from which the model starts",
    )
    train.add_argument("--photos", type=Path, required=True, help="folder of training photos, box-reduced")
    budget = train.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=integer(1, 10**9), help="budget in steps")
    budget.add_argument("--minutes", type=number(1e-3, 1e6), help="budget in minutes of wall time")
    train.add_argument(
        "--trunk", help="preset of the trunk: base (2 M parameters), paper, matching (the model's)"
    )
    train.add_argument(
        "--batch", type=integer(1, 4096), default=8, help="bursts a step, over all processes (8)"
    )
    train.add_argument(
        "--crop", type=integer(8, 1024), default=64, help="side of a training burst in pixels (64)"
    )
    train.add_argument(
        "--learning-rate", type=number(1e-9, 10), help="peak learning rate (0.005; networks that match 0.002)"
    )
    train.add_argument(
        "--schedule",
        choices=("cosine", "linear", "constant"),
        default="cosine",
        help="how the rate falls after its peak (cosine); a run at a constant one can be made longer later "
        "(not of networks that stack frames, whose loss is annealed)",
    )
    train.add_argument(
        "--lambda-1", type=number(0, 1), help="weight of the intensity loss (0.95; networks that match 0.99)"
    )
    train.add_argument(
        "--wrong-noise",
        type=number(0, 1),
        metavar="SHARE",
        help="share of the bursts whose assumed noise is wrong by a factor of up to 1.5 (mkpn-robust .2, others 0); "
        "networks that match",
    )
    train.add_argument("--seed", type=SEED, default=0, help="seed of weights and data (0)")
    train.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="of the convolutions"
    )
    train.add_argument(
        "--save-every",
        type=integer(1, 10**9),
        default=500,
        metavar="STEPS",
        help="save the state so often (500)",
    )
    train.add_argument(
        "--validate-every",
        type=integer(1, 10**9),
        default=1000,
        metavar="STEPS",
        help="measure so often (1000)",
    )
    train.add_argument("--runs", type=Path, default=Path("runs"), help="folder of states and logs (runs)")
    train.add_argument(
        "--output",
        type=Path,
        help="checkpoint to write (checkpoints/MODEL.safetensors, if none is there); with --all, --shared: the folder",
    )
    train.set_defaults(run=_train)

    bench = commands.add_parser("bench", help="measure time and memory on this machine")
    bench.add_argument("--json", action="store_true", help="print the figures as JSON")
    bench.add_argument(
        "--sides",
        type=integer(16, 2048),
        nargs="+",
        metavar="PIXELS",
        help="sides of the bursts (128 512 1024)",
    )
    bench.add_argument("--models", nargs="+", metavar="MODEL", help="models (kpn kpn-l5 kpn-l25 mkpn)")
    bench.add_argument(
        "--app", action="store_true", help="measure the app instead, in a real browser (needs Playwright)"
    )
    bench.add_argument(
        "--site",
        action="store_true",
        help="measure the site's engine beside PyTorch instead, one thread each (needs Node.js); --sides takes one",
    )
    bench.add_argument(
        "--load",
        type=integer(1, 200),
        metavar="N",
        help="measure N visitors at once instead, one of them in a real browser (needs Playwright and psutil)",
    )
    bench.add_argument(
        "--waves", type=integer(1, 1000), help="with --load: how often N visitors come and go (1)"
    )
    bench.set_defaults(run=_bench)

    _add_evaluation(commands)
    burst.add_commands(commands)
    page.add_command(commands)
    site.add_command(commands)

    models = commands.add_parser("models", help="list the trained networks")
    models.add_argument("--json", action="store_true", help="print their cards as JSON")
    models.set_defaults(run=_models)
    return parser


def _add_evaluation(commands) -> None:
    evaluate = commands.add_parser(
        "evaluate",
        help="PSNR and SSIM of networks and baselines on the test set",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  kpnviz evaluate                          # all there is; writes checkpoints/results.csv\n"
        "  kpnviz evaluate --models mkpn            # all of one network, into the same file\n"
        "  kpnviz evaluate --models mkpn nlm --motion moving --gains 4 16 --limit 6\n"
        "  kpnviz evaluate --models kpn --noise-scales 0.5 1 2 --output kpn.csv\n"
        "  kpnviz evaluate --method my_net.py:predict --models mkpn nlm --limit 12\n"
        "  kpnviz evaluate --workers 8              # the same figures, without times\n"
        "Each row is written as soon as it is measured. Started again, an evaluation leaves out what the file\n"
        "has from the same weights; several at once, on different models, can write to one file.",
    )
    evaluate.add_argument(
        "--models",
        nargs="*",
        metavar="MODEL",
        help="networks and baselines (all; beside --method none)",
    )
    add_method(evaluate, "measure this method of your own; may be given several times", True)
    evaluate.add_argument(
        "--motion", nargs="*", choices=MOTIONS, metavar="KIND", help=f"{', '.join(MOTIONS)} (the first three)"
    )
    evaluate.add_argument("--gains", nargs="*", type=GAIN, metavar="GAIN", help="gains (1 2 4 8)")
    evaluate.add_argument(
        "--noise-scales",
        nargs="*",
        type=number(0, 1000),
        metavar="SCALE",
        help="assumed noise as a multiple of the true one (1)",
    )
    evaluate.add_argument(
        "--frames", nargs="*", type=integer(1, 64), metavar="N", help="frames of a burst (8)"
    )
    evaluate.add_argument("--device", default="cpu", help=DEVICE_HELP)
    evaluate.add_argument("--limit", type=integer(1, 72), help="bursts a gain, of the 72")
    evaluate.add_argument(
        "--output", type=Path, help="CSV file to write, or to add to (checkpoints/results.csv, for all cases)"
    )
    add_workers(evaluate, "bursts (without times: processes that share a machine disturb each other)")
    evaluate.add_argument("--anew", action="store_true", help="measure also what the file has already")
    evaluate.add_argument("--json", action="store_true", help="print the results as JSON")
    evaluate.add_argument("--tune", type=Path, metavar="FOLDER", help="tune the baselines on photos instead")
    evaluate.set_defaults(run=_evaluate)

    zoo = commands.add_parser("zoo", help="list the trained models of the zoo with their figures")
    zoo.add_argument("--json", action="store_true", help="print them as JSON")
    zoo.set_defaults(run=_zoo)


def _check_app_is_installed() -> None:
    missing = [
        name for name in ("streamlit", "plotly", "cachetools") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise ValueError(
            f"the app needs {' and '.join(missing)}, not installed here: pip install 'kpnviz[app]'"
        )


def _app(options: argparse.Namespace) -> int:
    from kpnviz.paths import ROOT

    _check_app_is_installed()
    _check_address(options.host, options.port)
    # Streamlit reads .streamlit/config.toml from the folder it is started in.
    command = [sys.executable, "-m", "kpnviz.ui.server"]
    for source in options.method or ():
        from kpnviz.methods import check_source  # imports PyTorch

        # By the command line alone: nothing that visitors send or the environment holds names a method.
        command += ["--method", check_source(source)]
    command += ["--server.address", options.host, "--server.port", str(options.port)]
    if options.headless:
        command += ["--server.headless", "true"]
    return run_beside(command, ROOT)


def run_beside(command: list[str], folder: Path) -> int:
    """Run another program until it ends; whatever ends this process, Ctrl-C or SIGTERM, ends that program too."""
    stop_by_exception()
    with subprocess.Popen(command, cwd=folder) as program:
        signal.signal(signal.SIGTERM, lambda *_: program.terminate())
        try:
            return program.wait()
        finally:
            program.terminate()  # nothing, where it has ended


def _check_address(host: str, port: int) -> None:
    """ValueError where nothing can listen."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as server:
            if os.name == "posix":  # as the server does: a port that was just given up is free
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ValueError(f"port {port} of {host} is taken; choose another with --port") from None
        if error.errno == errno.EACCES:
            raise ValueError(
                f"port {port} is not for everyone to use; choose one from 1024 on with --port"
            ) from None
        raise ValueError(f"--host is {host!r}, on which nothing can listen here: {error.strerror}") from None


def _train(options: argparse.Namespace) -> int:
    from kpnviz.photos import find_photos

    find_photos(options.photos)  # an error at once, before PyTorch is imported
    from kpnviz.models import checkpoints
    from kpnviz.models.zoo import SHIPPED
    from kpnviz.threads import announce_compilation
    from kpnviz.training.train import SHARED, TrainingConfig, train, train_all

    model = SHIPPED[0] if options.all else SHARED if options.shared else options.model
    config = TrainingConfig(
        model=model,
        photos=options.photos,
        steps=options.steps,
        minutes=options.minutes,
        trunk=options.trunk,
        batch=options.batch,
        crop=options.crop,
        learning_rate=options.learning_rate,
        schedule=options.schedule,
        start=None if options.all else options.start,
        lambda_1=options.lambda_1,
        wrong_noise=options.wrong_noise,
        seed=options.seed,
        precision=options.precision,
        save_every=options.save_every,
        validate_every=options.validate_every,
    )
    if options.output is None and not options.shared:
        # Networks that ship are not replaced by a first try.
        for name in SHIPPED if options.all else (model,):
            if (there := checkpoints.folder() / f"{name}.safetensors").exists():
                raise ValueError(f"output: {str(there)!r} is there already; say with --output where to write")
    announce_compilation(say)
    if options.all:
        folder = options.output or checkpoints.folder()
        cards = train_all(config, options.runs, folder, start=options.start)
    else:
        cards = {model: train(config, options.runs, options.output)}
    for name, card in cards.items():
        if card:  # under torchrun only the first process has one
            print(json.dumps({name: card["metrics"]}))
    return 0


def _bench(options: argparse.Namespace) -> int:
    if options.waves and not options.load:
        raise WrongOptionError("waves: only with --load")
    if options.load or options.app:
        _check_app_is_installed()
        benchmark = _app_benchmark("many_visitors" if options.load else "one_page")
        report = benchmark.run(options.load, options.waves or 1) if options.load else benchmark.run()
        show(json.dumps(report, indent=2) if options.json else benchmark.as_text(report))
        return 0
    if options.site:
        from kpnviz.site import benchmark as engine

        if len(options.sides or ()) > 1:
            raise WrongOptionError("sides: one with --site")
        (side,) = options.sides or (engine.SIDE,)
        report = engine.run(options.models or engine.MODELS, side)
        show(json.dumps(report, indent=2) if options.json else engine.as_text(report))
        return 0
    for side in options.sides or ():
        if side % 2:
            raise WrongOptionError(f"sides: {side} is not an even number of pixels")
    from kpnviz.evaluation import benchmark

    report = benchmark.run(options.sides or benchmark.SIDES, options.models or benchmark.MODELS)
    show(json.dumps(report, indent=2) if options.json else benchmark.as_text(report))
    return 0


def _app_benchmark(name: str) -> Any:
    """A module of benchmarks/, which lies beside the package in a checkout; ValueError elsewhere."""
    from kpnviz.paths import ROOT

    if not (ROOT / "benchmarks" / f"{name}.py").is_file():
        raise ValueError(
            "the app's benchmarks are not installed: run this command in a checkout of the repository"
        )
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return importlib.import_module(f"benchmarks.{name}")


def _models(options: argparse.Namespace) -> int:
    from kpnviz.models import checkpoints

    cards = checkpoints.cards(say)
    if options.json:
        print(json.dumps(list(cards.values()), indent=2))
        return 0
    for card in cards.values():
        sizes = ",".join(map(str, card["config"]["sizes"]))
        show(
            f"{card['name']:16} sizes {sizes:16} {card['params'] / 1e6:.2f} M parameters, {card['bytes'] / 1e6:.1f} MB"
        )
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from kpnviz.photos import find_photos

    if options.tune:
        find_photos(options.tune)
    if options.output:
        check_output(options.output)
    from kpnviz.evaluation import evaluate, results
    from kpnviz.evaluation.benchmark import machine
    from kpnviz.threads import announce_compilation

    announce_compilation(say)
    if options.tune:
        return _tune(options)
    chosen = {
        "motions": options.motion,
        "gains": options.gains,
        "noise_scales": options.noise_scales,
        "frames": options.frames,
    }
    chosen = {name: values for name, values in chosen.items() if values is not None}
    shipped = not chosen and not options.method and options.limit is None
    output = options.output or (results.results_path() if shipped else None)
    if output:
        check_output(output)
    methods = evaluate.methods(options.models, options.device, options.method or ())
    plan = evaluate.plan_of(methods, **chosen) if chosen else evaluate.whole_plan(methods)
    evaluate.check_frames(plan, methods)
    there = results.kept_rows(output) if output else []
    rows = [] if options.anew else there
    left = evaluate.left_to_do(plan, methods, rows, options.limit)
    stamp = results.stamp(machine() | ({} if options.device == "cpu" else {"device": options.device}))
    stop_by_exception()
    stopped: BaseException | None = None
    try:
        for row in evaluate.evaluate(
            methods, left, options.limit, True, options.workers or 1, options.scheduler
        ):
            if output:
                results.add_rows(output, [row], stamp)
            rows.append(row)
    except BaseException as error:  # what was measured is shown, then it is said why there is no more
        stopped = error
    latest = {(row.model, row.case): row for row in rows if row.model in plan.get(row.case, ())}
    if not latest:
        if stopped:
            raise stopped
        raise ValueError(f"frames: none of {', '.join(methods)} takes bursts of so many frames")
    measured = results.Results(stamp, results.in_order(latest.values()))
    show(json.dumps(results.as_json(measured), indent=2) if options.json else results.as_text(measured))
    if stopped:
        raise stopped
    return 0


def _tune(options: argparse.Namespace) -> int:
    from kpnviz.evaluation.baselines import tune

    grids = tune(options.tune, show_progress=True)
    if options.json:
        print(json.dumps(grids, indent=2))
        return 0
    for method, trials in grids.items():
        for parameters, psnr in trials:
            print(f"{method:14}{psnr:7.2f} dB  {parameters}")
    return 0


def _zoo(options: argparse.Namespace) -> int:
    from kpnviz.evaluation import results

    models = results.zoo(say)
    if options.json:
        print(json.dumps(models, indent=2))
        return 0
    for model in models:
        sizes = ",".join(map(str, model["sizes"]))
        show(
            f"{model['name']:14} sizes {sizes:13} {model['params'] / 1e6:.2f} M parameters, "
            f"{model['bytes'] / 1e6:.1f} MB"
            + ("" if model["steps"] is None else f", {model['steps']} steps")
            + ("" if model["psnr"] else "  not evaluated")
        )
        for motion, figures in model["psnr"].items():
            print(f"    {motion:12} " + "  ".join(f"×{gain} {psnr:.2f} dB" for gain, psnr in figures.items()))
    return 0
