"""Master images with packages for Python: the field's common libraries, deep learning."""

import re
from pathlib import Path

import pytest

from tests.containers.engine import Engine
from tests.containers.fixtures import or_skip
from tests.containers.images import make_master
from tests.containers.visitor import arrived, build_image
from tests.images.visits import visited
from tests.station import REPOSITORY, opened

LOCKS = REPOSITORY / "master_images" / "packages"

FITS = """\
import io, os, pathlib
import dotenv, lifelines, matplotlib, numpy, pandas, requests, scipy.stats, seaborn
import statsmodels.api
from cryptography.fernet import Fernet
table = pandas.DataFrame({"x": numpy.arange(10.0), "y": numpy.arange(10.0) * 2 + 1})
slope = scipy.stats.linregress(table.x, table.y).slope
model = statsmodels.api.OLS(table.y, statsmodels.api.add_constant(table.x)).fit()
lifelines.KaplanMeierFitter().fit(table.y)
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"])
(results / "slopes").write_text(f"{slope:.3f} {model.params['x']:.3f}")
table.to_excel(results / "table.xlsx", engine="openpyxl")
assert (pandas.read_excel(results / "table.xlsx", index_col=0) == table).all(axis=None)
seaborn.lineplot(table, x="x", y="y").figure.savefig(results / "plot.png")
fernet = Fernet(Fernet.generate_key())
assert fernet.decrypt(fernet.encrypt(b"rows")) == b"rows"
params = dotenv.dotenv_values(stream=io.StringIO("code=I10"))
print(requests.Request("GET", "http://fhir.example.org", params=params).prepare().url)
"""
LEARNS = """
import pyarrow
from sklearn.linear_model import LinearRegression
from xgboost import XGBRegressor
print(LinearRegression().fit(table[["x"]], table.y).coef_, pyarrow.array([1]))
assert XGBRegressor(n_estimators=5).fit(table[["x"]], table.y).score(table[["x"]], table.y) > 0.5
"""


def packages(name: str) -> dict[str, str]:
    """Return the packages of a lock and their versions."""
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", (LOCKS / f"{name}.txt").read_text(), re.M))


@pytest.mark.parametrize(
    ("image", "base", "script"),
    [("slim-science", "musl", FITS), ("buster-science", "trixie", FITS + LEARNS)],
    ids=["slim", "buster"],
)
def test_trains_use_the_common_libraries(
    image: str, base: str, script: str, engine: Engine, tmp_path: Path
) -> None:
    master = or_skip(lambda: make_master(engine, image, base))
    train = build_image(engine, master, name=f"train-{image}")
    results = opened(visited(engine, train, arrived(tmp_path, script), tmp_path))
    assert results["slopes"] == b"2.000 2.000"
    assert results.keys() >= {"plot.png", "table.xlsx"}


@pytest.mark.parametrize("name", [lock.stem for lock in LOCKS.glob("*.in")])
def test_every_set_is_locked_by_hashes_as_it_is_asked_for(name: str) -> None:
    asked = (LOCKS / f"{name}.in").read_text()
    for included in re.findall(r"^-r (.*)\.in$", asked, re.M):
        assert packages(included).items() <= packages(name).items()
    wanted = re.findall(r"^([a-z0-9][a-z0-9-]*)(?:\[.*?\])?(?:==([\d.]+)\*)?", asked, re.M)
    assert all(packages(name)[package].startswith(version) for package, version in wanted)
    lock = re.sub(r"^ *#.*\n", "", (LOCKS / f"{name}.txt").read_text(), flags=re.M)
    assert not re.findall(r"^[^ ].*\n(?! +--hash=sha256:)", lock, re.M)


def test_deep_learning_stands_on_one_cuda_stack() -> None:
    locked = packages("dl")
    assert locked["tensorflow"].startswith("2.20.")
    assert locked["torch"].startswith("2.10.")
    assert locked["nvidia-cuda-runtime-cu12"].startswith("12.8.")
    nvidia = {name for name in locked if name.startswith("nvidia-")}
    assert all(name.endswith("-cu12") for name in nvidia)
