"""The command line: `kpnviz app | train | bench | models`."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 on success, 1 on an error (one sentence on stderr), 2 on wrong usage."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        return options.run(options) or 0
    except (ValueError, OSError) as error:
        print(f"kpnviz {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"kpnviz {options.command}: stopped", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kpnviz", description="See inside kernel prediction networks for burst denoising."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    app = commands.add_parser("app", help="open the app in a browser")
    app.add_argument("--port", type=int, default=8501, help="port of the server (8501)")
    app.add_argument("--headless", action="store_true", help="serve without opening a browser")
    app.set_defaults(run=_app)

    train = commands.add_parser(
        "train",
        help="train a model of the zoo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  kpnviz train mkpn --photos photos/train --minutes 60\n"
        "  torchrun --nproc-per-node 2 -m kpnviz train kpn-l5 --photos photos/train --steps 60000\n"
        "Started again, a run goes on where it was last saved (runs/MODEL/state.pt).",
    )
    train.add_argument("model", help="a name of the zoo; `kpnviz models` lists them")
    train.add_argument("--photos", type=Path, required=True, help="folder of training photos, box-reduced")
    budget = train.add_mutually_exclusive_group(required=True)
    budget.add_argument("--steps", type=int, help="budget in steps")
    budget.add_argument("--minutes", type=float, help="budget in minutes of wall time")
    train.add_argument(
        "--trunk", default="base", help="preset of the trunk: base (2 M parameters) or paper (base)"
    )
    train.add_argument("--batch", type=int, default=8, help="bursts a step, over all processes (8)")
    train.add_argument("--crop", type=int, default=64, help="side of a training burst in pixels (64)")
    train.add_argument("--learning-rate", type=float, default=1e-3, help="peak learning rate (0.001)")
    train.add_argument("--lambda-1", type=float, default=0.95, help="weight of the intensity loss (0.95)")
    train.add_argument("--seed", type=int, default=0, help="seed of weights and data (0)")
    train.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="of the convolutions"
    )
    train.add_argument("--runs", type=Path, default=Path("runs"), help="folder of states and logs (runs)")
    train.add_argument("--output", type=Path, help="checkpoint to write (checkpoints/MODEL.safetensors)")
    train.set_defaults(run=_train)

    bench = commands.add_parser("bench", help="measure time and memory on this machine")
    bench.add_argument("--json", action="store_true", help="print the figures as JSON")
    bench.add_argument(
        "--sides", type=int, nargs="+", metavar="PIXELS", help="sides of the bursts (128 512 1024)"
    )
    bench.add_argument("--models", nargs="+", metavar="MODEL", help="models (kpn kpn-l5 kpn-l25 mkpn)")
    bench.set_defaults(run=_bench)

    models = commands.add_parser("models", help="list the trained networks")
    models.add_argument("--json", action="store_true", help="print their cards as JSON")
    models.set_defaults(run=_models)
    return parser


def _app(options: argparse.Namespace) -> int:
    from kpnviz.paths import ROOT

    if not 0 < options.port < 65536:
        raise ValueError(f"port is {options.port}; ports are 1 to 65535")
    # Streamlit reads .streamlit/config.toml from the folder it is started in.
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        str(ROOT / "app.py"),
        "--server.port",
        str(options.port),
    ]
    if options.headless:
        command += ["--server.headless", "true"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _train(options: argparse.Namespace) -> int:
    from kpnviz.training import TrainingConfig, train

    config = TrainingConfig(
        model=options.model,
        photos=options.photos,
        steps=options.steps,
        minutes=options.minutes,
        trunk=options.trunk,
        batch=options.batch,
        crop=options.crop,
        learning_rate=options.learning_rate,
        lambda_1=options.lambda_1,
        seed=options.seed,
        precision=options.precision,
    )
    card = train(config, options.runs, options.output, show_progress=sys.stderr.isatty())
    if card:
        print(json.dumps(card["metrics"]))
    return 0


def _bench(options: argparse.Namespace) -> int:
    from kpnviz import benchmark

    for side in options.sides or ():
        if side < 16 or side % 2:
            raise ValueError(f"sides: {side} is not an even number of 16 pixels or more")
    report = benchmark.run(options.sides or benchmark.SIDES, options.models or benchmark.MODELS)
    print(json.dumps(report, indent=2) if options.json else benchmark.as_text(report))
    return 0


def _models(options: argparse.Namespace) -> int:
    from kpnviz import checkpoints

    cards = [checkpoints.read_card(name) for name in checkpoints.available()]
    if options.json:
        print(json.dumps(cards, indent=2))
        return 0
    for card in cards:
        sizes = ",".join(map(str, card["config"]["sizes"]))
        print(
            f"{card['name']:16} sizes {sizes:16} {card['params'] / 1e6:.2f} M parameters, {card['bytes'] / 1e6:.1f} MB"
        )
    return 0
