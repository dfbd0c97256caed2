"""A list of launches as one CUDA graph, captured once and replayed: the host then launches a step, not its two hundred kernels."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from numba import cuda

from optlab.codegen.cuda import simulated
from optlab.nn.cuda.network import Launch, run


def capture(launches: list[Launch]) -> tuple[Any, Any]:
    """The launches as a graph, and the stream to replay it on. The kernels must have run once, so that nothing is loaded meanwhile."""
    from cuda.core import Device

    device = Device(cuda.get_current_device().id)
    device.set_current()
    stream = device.create_stream()
    builder = stream.create_graph_builder()
    builder.begin_building()
    run(launches, builder)
    return builder.end_building().complete(), stream


class Replays:
    """Runs lists of launches again and again: as graphs where the driver and ``cuda.core`` allow it, launch by launch where not.

    ``reason`` says why there are no graphs, None while nothing has failed.
    """

    def __init__(self) -> None:
        self.reason = "the simulator has no graphs" if simulated() else None
        self.graphs: dict[Hashable, tuple[Any, Any, list[Launch]]] = {}  #: kept with their launches, whose buffers they use

    def run(self, key: Hashable, launches: list[Launch], count: int) -> None:
        """Run the list ``count`` times and wait for the end; ``key`` names it among the lists of this object."""
        left = count
        if key not in self.graphs and left:
            run(launches)  # loads what is needed
            left -= 1
            if left and self.reason is None:
                cuda.synchronize()
                try:
                    self.graphs[key] = (*capture(launches), launches)
                except Exception as error:  # of many types: an old driver, an old cuda.core
                    self.reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        if left and key in self.graphs:
            graph, stream, _ = self.graphs[key]
            cuda.synchronize()  # what was written before, on another stream
            for _ in range(left):
                graph.launch(stream)
            stream.sync()
            return
        for _ in range(left):
            run(launches)
        cuda.synchronize()


__all__ = ["Replays", "capture"]
