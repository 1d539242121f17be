"""Small sweeps for tests of the backends, and the one question after each: is every point there, once, and the same?"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np

from iontide.sweeps.backends.work import work
from iontide.sweeps.plan.plan import load_plan
from iontide.sweeps.store.store import Store
from tests.support.paths import SCENARIO_FILES

PLAN = """
[sweep]
vary = {{ "parameters.P_K" = {{ log = ["1e-9 m/s", "1e-6 m/s"], points = {points} }} }}
keep = ["end", "verdict"]
block = {block}
"""

SCENARIO = SCENARIO_FILES["pump_leak_cell"]

#: Called as ``iontide``, with an engine that takes so many seconds longer for each block.
SLOW_IONTIDE = Path(__file__).with_name("slow_iontide.py")


def make_sweep(folder: Path, points: int = 96, block: int = 4) -> Store:
    """A sweep of which nothing is computed yet."""
    file = folder.with_suffix(".toml")
    file.write_text(f'scenario = "{SCENARIO}"\n' + PLAN.format(points=points, block=block))
    return Store.create(folder, load_plan(file))


def undisturbed(store: Store) -> Path:
    """Another folder with the same sweep, computed by one worker without anything happening to it."""
    folder = store.folder.with_name(f"{store.folder.name}_undisturbed")
    Store.create(folder, store.plan)
    assert work(folder).blocks == store.plan.blocks
    return folder


def contents(folder: Path) -> dict[str, np.ndarray]:
    """All data of all shards, by file and name."""
    found: dict[str, np.ndarray] = {}
    for shard in sorted((folder / "shards").iterdir()):
        with h5py.File(shard) as file:

            def note(name: str, item: object, shard: Path = shard) -> None:
                if isinstance(item, h5py.Dataset):
                    found[f"{shard.name}/{name}"] = item[()]

            file.visititems(note)
    return found


def assert_whole_and_same(store: Store) -> None:
    """Every point present exactly once, and bit for bit what an undisturbed run makes of it."""
    assert Store.open(store.folder).missing() == []
    assert len(list((store.folder / "shards").iterdir())) == store.plan.blocks
    found, expected = contents(store.folder), contents(undisturbed(store))
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name].dtype == values.dtype, name
        assert found[name].tobytes() == values.tobytes(), name
