"""Looking at the machine for ``optlab doctor``."""

from __future__ import annotations

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from optlab._version import __version__
from optlab.errors import OptlabError


@dataclass(frozen=True)
class Item:
    """One finding: ``state`` is "ok", "broken" (optlab cannot work) or "absent" (it can, without this)."""

    name: str
    state: str
    detail: str


def diagnose() -> list[Item]:
    """Everything worth knowing about this machine, in order of importance."""
    out = [Item("optlab", "ok", f"{__version__}, Python {platform.python_version()} on {platform.platform()}")]
    out += [_package(name) for name in _dependencies()]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    out.append(Item("threads", "ok", f"{cores} cores usable"))
    out += [_vectors(), _compiler(), _cache(), _cuda()]
    found = _package("distributed")
    absent = Item("distributed", "absent", "optional, for cells computed by other machines (--cluster); pip install 'optlab[cluster]'")
    out.append(found if found.state == "ok" else absent)
    for name, use in (("torch", "comparing optimizers with PyTorch's"), ("optax", "comparing optimizers with optax's")):
        found = _package(name)
        out.append(
            Item(name, "ok", found.detail) if found.state == "ok" else Item(name, "absent", f"optional, for {use}; pip install {name}")
        )
    return out + _plugins()


def _plugins() -> list[Item]:
    """What installed packages add to rules, schedules and problems, each tried; one that fails takes nothing else with it."""
    from optlab import problems, rules, schedules
    from optlab.registry import load_plugin, plugins

    own = {
        "rule": {rule.name for rule in rules.builtin()},
        "schedule": {one.name for one in schedules.builtin()},
        "problem": problems.BUILTIN,
    }
    out = []
    for kind, taken in own.items():
        for entry in plugins(f"optlab.{kind}s"):
            package = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without metadata"
            state, detail = "ok", f"{entry.value} of {package}"
            if entry.name in taken:
                state, detail = "absent", f"{detail} is hidden by optlab's own {entry.name}: it needs another name"
            try:
                if state == "ok":
                    load_plugin(entry, kind) if kind == "problem" else {"rule": rules, "schedule": schedules}[kind].get(entry.name)
            except OptlabError as error:
                state, detail = "absent", str(error)
            out.append(Item(f"{kind} {entry.name}", state, detail))
    return out


def _dependencies() -> list[str]:
    listed = requires("optlab") or []
    return [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in listed if "extra ==" not in line]


def _package(name: str) -> Item:
    try:
        return Item(name, "ok", version(name))
    except PackageNotFoundError:
        return Item(name, "broken", f"not installed; pip install {name}")


def _vectors() -> Item:
    try:
        import llvmlite.binding as llvm

        features = llvm.get_host_cpu_features()
    except (ImportError, RuntimeError) as error:
        return Item("vector instructions", "broken", f"LLVM does not answer: {error}")
    names = [name for name in ("avx512f", "avx2", "fma", "sse4.2", "neon", "sve") if features.get(name)]
    widest = {"avx512f": "512", "avx2": "256", "sse4.2": "128", "neon": "128"}.get(names[0] if names else "", "?")
    return Item("vector instructions", "ok", f"{llvm.get_host_cpu_name()}: {', '.join(names) or 'none known'} ({widest} bits wide)")


def _compiler() -> Item:
    """Compile one generated function and hold its result against a known-answer vector."""
    try:
        import numpy as np

        from optlab.ensemble.philox import philox

        words = [int(word) for word in philox(*(np.uint32(0),) * 6)]
    except Exception as error:  # a broken compiler raises anything
        return Item("Numba", "broken", f"cannot compile: {type(error).__name__}: {str(error).splitlines()[0]}")
    right = words == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    return Item(
        "Numba", "ok" if right else "broken", "compiles; Philox4x32-10 gives its known answer" if right else f"wrong Philox words: {words}"
    )


def _cache() -> Item:
    from optlab.codegen.module import cache_folder

    try:
        folder = cache_folder()
    except OptlabError as error:
        return Item("kernel cache", "broken", str(error))
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 2**20
    lasting = (
        ""
        if not folder.parent.name.startswith("optlab-")
        else "; your cache folder is not writable, so kernels compile anew each time: set OPTLAB_CACHE"
    )
    return Item("kernel cache", "ok", f"{folder}: {len(files)} files, {size:.0f} MiB{lasting}")


def _cuda() -> Item:
    from optlab.codegen.cuda import INSTALL, device_name, driver, installed, reason_without

    if not driver():
        packages = "numba-cuda is installed" if installed() else f"for a machine that has one: {INSTALL}"
        return Item("CUDA", "absent", f"no NVIDIA driver found; everything runs on the CPU ({packages})")
    reason = reason_without()
    return Item("CUDA", "ok", device_name()) if reason is None else Item("CUDA", "absent", reason)
