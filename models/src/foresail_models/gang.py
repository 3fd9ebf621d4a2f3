"""The processes of one run: alone, or joined by gloo (CPU) or NCCL (CUDA). All collectives stand here.

Each one must be called by every process in the same order. A peer that ends or stays silent makes it raise
PeerLost: with a rank less there is no batch, so the whole gang ends and is started again from a checkpoint.
"""

from __future__ import annotations

import atexit
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor

from .config import Distributed
from .errors import ConfigError, PeerLost


@dataclass(frozen=True)
class Place:
    """Where this process stands in the gang, as the launcher (ours or torchrun) says in the environment."""

    rank: int = 0
    world: int = 1
    local_rank: int = 0
    local_world: int = 1

    @staticmethod
    def from_env(env: Mapping[str, str]) -> Place:
        if "RANK" not in env:
            return Place()
        try:
            return Place(*(int(env.get(key, default)) for key, default in
                           (("RANK", ""), ("WORLD_SIZE", ""), ("LOCAL_RANK", "0"), ("LOCAL_WORLD_SIZE", "1"))))  # fmt: skip
        except ValueError as error:
            raise ConfigError(f"RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE: {error}") from error


def pick_device(accelerator: str, place: Place) -> torch.device:
    """Raises ConfigError where CUDA is asked for and not there."""
    found = torch.cuda.device_count() if accelerator != "cpu" and torch.cuda.is_available() else 0
    if accelerator == "cuda" and not found:
        raise ConfigError("accelerator: cuda, but this machine shows no CUDA device")
    if not found:
        return torch.device("cpu")
    device = torch.device("cuda", place.local_rank % found)
    torch.cuda.set_device(device)
    return device


class Gang:
    """The collectives; alone they cost nothing."""

    def __init__(self, place: Place, device: torch.device, store: Any = None) -> None:
        self.rank, self.world, self.device, self._store = place.rank, place.world, device, store
        self.leads = place.rank == 0

    @staticmethod
    def join(place: Place, device: torch.device, times: Distributed) -> Gang:
        """Meets the others at MASTER_ADDR:MASTER_PORT. Raises PeerLost when they do not come in time."""
        if place.world == 1:
            return Gang(place, device)
        import torch.distributed as dist

        patience = timedelta(seconds=times.rendezvousTimeoutSeconds)
        try:
            store = _meet(place, time.monotonic() + times.rendezvousTimeoutSeconds, patience)
            dist.init_process_group(
                "nccl" if device.type == "cuda" else "gloo",
                store=store,
                rank=place.rank,
                world_size=place.world,
                timeout=timedelta(seconds=times.peerTimeoutSeconds),
                device_id=device if device.type == "cuda" else None,
            )
        except RuntimeError as error:
            raise PeerLost(f"the {place.world} processes did not come together: {error}") from error
        gang = Gang(place, device, dist.PrefixStore("foresail", store))
        # Not sooner: peers take a connection that ends for the end of this process, and it may still have a reason to tell.
        atexit.register(gang.leave)
        return gang

    def sum(self, values: Tensor) -> Tensor:
        """`values` summed over the processes, in place; the same bits everywhere."""
        if self.world > 1:
            import torch.distributed as dist

            try:
                dist.all_reduce(values)
            except RuntimeError as error:
                raise PeerLost(f"rank {self.rank} lost a peer: {error}") from error
        return values

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """Whether anyone says so, flag by flag."""
        if self.world == 1:
            return flags
        return tuple(n > 0 for n in self.sum(torch.tensor(flags, dtype=torch.int32, device=self.device)).tolist())

    def from_lead(self, data: bytes | None) -> bytes | None:
        """What rank 0 gives, for everyone. Bytes: an object would have to be unpickled."""
        if self.world == 1:
            return data
        size = torch.tensor([0 if data is None else len(data) + 1], device=self.device)
        size = int(self.sum(size if self.leads else torch.zeros_like(size)).item())
        if size == 0:
            return None
        import torch.distributed as dist

        buffer = torch.empty(size - 1, dtype=torch.uint8)
        if self.leads and data:
            buffer = torch.frombuffer(bytearray(data), dtype=torch.uint8)
        buffer = buffer.to(self.device)
        try:
            if size > 1:
                dist.broadcast(buffer, src=0)
        except RuntimeError as error:
            raise PeerLost(f"rank {self.rank} lost rank 0: {error}") from error
        return buffer.cpu().numpy().tobytes()

    def announce(self, text: str) -> None:
        """Rank 0 lets the others go on from `await_lead`."""
        if self._store is not None:
            self._store.set("announced", text)

    def await_lead(self) -> str:
        """What rank 0 announces, which may take far longer than a peer may be silent in a step. Its end is noticed at once.

        Asked again and again: a wait inside PyTorch would not let a signal through.
        """
        try:
            while not self._store.check(["announced"]):
                time.sleep(0.2)
            text: str = self._store.get("announced").decode()
            return text
        except RuntimeError as error:
            raise PeerLost(f"rank 0 ended before the data were ready: {error}") from error

    def leave(self) -> None:
        if self.world > 1:
            import torch.distributed as dist

            dist.destroy_process_group()


def _meet(place: Place, until: float, patience: timedelta) -> Any:
    """The store at MASTER_ADDR:MASTER_PORT once all have come to it. Asks again and again, as in `await_lead`.

    A headless Service knows a pod some seconds after it starts: until then its name does not resolve.
    """
    import torch.distributed as dist

    host, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    # torchrun has a store of its own at this port.
    hosts = place.rank == 0 and os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True"
    while True:
        try:
            if not hosts:
                socket.create_connection((host, port), 2).close()
            store = dist.TCPStore(host, port, place.world, hosts, patience, wait_for_workers=False)
            break
        except OSError as error:
            if time.monotonic() > until:
                raise PeerLost(f"{host}:{port}: {error}") from error
            time.sleep(0.2)
    arrived = store.add("arrived", 1)
    while arrived < place.world:
        if time.monotonic() > until:
            raise PeerLost(f"{arrived} of {place.world} processes came to {host}:{port}")
        time.sleep(0.2)
        arrived = store.add("arrived", 0)
    return store
