"""``optlab data``: getting the images to train on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from optlab.cli.options import command, epilog, show_help
from optlab.cli.output import print_json, print_table, progress_bar

app = typer.Typer(
    help="Get and check the images to train on.",
    epilog=epilog("optlab data fetch cifar10 --data-dir data"),
    callback=show_help,
    invoke_without_command=True,
)


@command(app)
def fetch(
    name: Annotated[str, typer.Argument(help="What to get: cifar10.")],
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Folder to keep it in (default: $OPTLAB_DATA, else ./data).", show_default=False)
    ] = None,
    url: Annotated[str | None, typer.Option(help="Another address of the same archive.", show_default=False)] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Download CIFAR-10 from its official address (162 MB), check it, unpack it. Interrupted, the same command goes on.

    Example: optlab data fetch cifar10 --data-dir data
    """
    from optlab.data.fetch import URL, fetch_cifar10
    from optlab.errors import UnknownNameError

    if name != "cifar10":
        raise UnknownNameError("data", name, ("cifar10",))
    chosen = data_dir or Path(os.environ.get("OPTLAB_DATA") or "data")
    with progress_bar("fetch") as bar:
        folder = fetch_cifar10(chosen, url=url or URL, progress=bar)
    if json:
        print_json({"data": name, "folder": str(folder)})
    else:
        print(f"CIFAR-10 is in {folder}: use it with --data-dir {chosen}")
    return 0


@command(app)
def show(
    data: Annotated[str, typer.Argument(help="cifar10, or synthetic(training=2000).")] = "cifar10",
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", help="Folder of the files (default: $OPTLAB_DATA).", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> int:
    """Read the images and say what is there: sizes, classes, mean and deviation of the channels.

    Example: optlab data show cifar10 --data-dir data
    """
    from optlab.data import get
    from optlab.data.images import channel_statistics

    images = get(data, folder=data_dir)
    mean, deviation = channel_statistics(images.training)
    counts = [int((images.training.labels == k).sum()) for k in range(len(images.classes))]
    if json:
        print_json({
            "data": images.name, "training": len(images.training), "test": len(images.test), "shape": images.shape,
            "classes": images.classes, "counts": counts, "mean": mean, "deviation": deviation, "fingerprint": images.fingerprint,
        })  # fmt: skip
        return 0
    rows = [
        ("training images", f"{len(images.training):,}"),
        ("test images", f"{len(images.test):,}"),
        ("height, width, channels", ", ".join(map(str, images.shape))),
        ("classes (training images)", ", ".join(f"{name} {count:,}" for name, count in zip(images.classes, counts, strict=True))),
        ("mean of each channel, of 1", ", ".join(f"{value:.4f}" for value in mean)),
        ("standard deviation", ", ".join(f"{value:.4f}" for value in deviation)),
        ("fingerprint", images.fingerprint),
    ]
    print_table(images.name, ("", ""), rows, words=(0, 1))
    return 0
