"""Numbers that stations have added encrypted are decrypted with the user's Paillier key."""

import json
import stat
from pathlib import Path

import pytest

from entrypoint.author.encrypted_numbers import decrypt_numbers
from entrypoint.author.paillier import PrivateKey
from entrypoint.crypto.paillier_key import PaillierKey
from entrypoint.errors import SettingsError
from tests.desk import Said, plant
from tests.reference_paillier import (
    LAMBDA,
    MU,
    PRIVATE,
    PUBLIC,
    RECORDED,
    RECORDED_NUMBER,
    SIMPLE,
    SIMPLE_PRIVATE,
    G,
    N,
    decrypt,
    encrypt,
    write_key,
)
from tests.station import pht
from tests.unit.opening import assert_not_opened, key_file_of, open_train
from tests.unit.simulating import send

KEY = PrivateKey(public=PaillierKey(N, G), lambda_=LAMBDA, mu=MU)
SIXTEEN = 1234567890123456

ADDS = """
import json, os, pathlib, secrets

opt = pathlib.Path(os.environ["PHT_TRAIN_DIR"]).parent
config = json.loads((opt / "train_config.json").read_text())
if "user_he_key" in config:
    n = int(config["user_he_key"])
    g = n + 1
else:
    key = json.loads(bytes.fromhex(config["creator"]["paillier_public_key"]))
    n, g = int(key["n"]), int(key["g"])
results = pathlib.Path(os.environ["PHT_RESULTS_DIR"]) / "sum.he.json"
before = json.loads(results.read_text())["sum"] if results.exists() else 1
count = len(pathlib.Path(os.environ["TRAIN_DATA_PATH"]).read_text())
random = secrets.randbelow(n)
added = before * pow(g, count, n * n) * pow(random, n, n * n) % (n * n)
results.write_text(json.dumps({"sum": added, "stops": ["ü", 1.5, None, True, 12]}))
"""


def opened(folder: Path) -> str:
    said = Said()
    decrypt_numbers(folder, KEY, said)
    return said.text


# Which numbers


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (f'{{"a": {RECORDED}}}', f'{{"a":{RECORDED_NUMBER}}}'),
        (f'{{"a": "{RECORDED}"}}', f'{{"a":{RECORDED_NUMBER}}}'),
        (f'[[{{"a": [{RECORDED}, 1]}}]]', f'[[{{"a":[{RECORDED_NUMBER},1]}}]]'),
        (f'"{RECORDED}"', f"{RECORDED_NUMBER}"),
        (f'"00{RECORDED}"', f"{RECORDED_NUMBER}"),
        (f"[{SIXTEEN}]", f"[{decrypt(SIXTEEN, PRIVATE)}]"),
        (f"[{SIXTEEN // 10}, {-SIXTEEN // 100}]", f"[{SIXTEEN // 10},{-SIXTEEN // 100}]"),
        ('["12"]', f"[{decrypt(12, PRIVATE)}]"),
        ("[1.5, 1e300, true, null, {}, []]", "[1.5,1e+300,true,null,{},[]]"),
        ('["age", "", "1.5", "-7", "0x10"]', '["age","","1.5","-7","0x10"]'),
        ('{"ü": "ö"}', r'{"\u00fc":"\u00f6"}'),
    ],
)
def test_long_integers_and_text_of_digits_are_decrypted(
    written: str, read: str, tmp_path: Path
) -> None:
    plant(tmp_path, {"sum.he.json": written})
    opened(tmp_path)
    assert (tmp_path / "sum.he.json").read_text() == read


@pytest.mark.parametrize("name", ["sum.he.json", "a/b.he.json", "old.he.json.1", "x.he.json/part"])
def test_every_file_with_the_mark_in_its_path_is_decrypted(name: str, tmp_path: Path) -> None:
    plant(tmp_path, {name: f"[{encrypt(3)}, {encrypt(4)}]", "sum.json": f"[{RECORDED}]"})
    said = opened(tmp_path)
    assert (tmp_path / name).read_text() == "[3,4]"
    assert (tmp_path / "sum.json").read_text() == f"[{RECORDED}]"
    assert "pht: decrypted 2 numbers with the Paillier key\n" in said
    assert "warning" not in said


def test_modes_are_kept_and_every_name_of_a_file_is_decrypted_once(tmp_path: Path) -> None:
    plant(tmp_path, {"a.he.json": f"[{RECORDED}]"})
    (tmp_path / "a.he.json").chmod(0o400)
    (tmp_path / "b.he.json").hardlink_to(tmp_path / "a.he.json")
    (tmp_path / "c.he.json").symlink_to("a.he.json")
    opened(tmp_path)
    assert {path.read_text() for path in tmp_path.iterdir()} == {f"[{RECORDED_NUMBER}]"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o400}
    assert (tmp_path / "c.he.json").is_symlink()


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        (f'{{"b": {{"c": [1, {N * N}]}}}}', "b.c[1] is not encrypted under this key"),
        (f'["{"9" * 5000}"]', "[0] is not encrypted under this key"),
        (f"[{'9' * 5000}]", "has a huge number"),
        (f"[{-SIXTEEN}]", "[0] is not encrypted under this key"),
        (f"[{N}]", "[0] is not encrypted under this key"),
        (f'"{N}"', "the value is not encrypted under this key"),
        ("[NaN]", "holds NaN, which is not JSON"),
        ("", "is not JSON: expecting value at line 1, column 1"),
        ("[" * 101 + "]" * 101, "is nested deeper than 100 levels"),
    ],
)
def test_a_file_that_cannot_be_decrypted_stays_whole(
    written: str, problem: str, tmp_path: Path
) -> None:
    good = f"[{RECORDED}]"
    plant(tmp_path, {"a.he.json": written, "b.he.json": good})
    said = opened(tmp_path)
    assert f"warning: a.he.json stays as the train wrote it: {problem}\n" in said
    assert (tmp_path / "a.he.json").read_text() == written
    assert (tmp_path / "b.he.json").read_text() == f"[{RECORDED_NUMBER}]"
    assert "decrypted 1 number with" in said


def test_a_file_that_is_too_large_stays(tmp_path: Path) -> None:
    large = tmp_path / "a.he.json"
    with large.open("wb") as file:
        file.truncate(64 * 1024 * 1024 + 1)
    assert "it is larger than" in opened(tmp_path)
    assert large.stat().st_size == 64 * 1024 * 1024 + 1


def test_results_without_such_a_file_are_a_warning(tmp_path: Path) -> None:
    plant(tmp_path, {"sum.json": f"[{RECORDED}]"})
    assert "warning: no result has .he.json in its name" in opened(tmp_path)


# With the train


@pytest.mark.slow
@pytest.mark.parametrize(
    ("generation", "public", "private"),
    [("route", PUBLIC, PRIVATE), ("flat", SIMPLE, SIMPLE_PRIVATE)],
    ids=["route", "flat"],
)
def test_a_sum_of_several_stations_is_decrypted(
    generation: str,
    public: dict[str, str],
    private: dict[str, str],
    tmp_path: Path,
    output: Path,
) -> None:
    train = plant(tmp_path / "train", {"train.py": ADDS})
    data = plant(tmp_path / "data", {"a/x": "1" * 5, "b/x": "1" * 30, "c/x": "1" * 7})
    keep = tmp_path / "kept"
    key = write_key(tmp_path / "public", public)
    status, said = send(train, data, keep=keep, generation=generation, paillier_key=key)
    assert status == 0, said

    user, last = keep / "user.private.pem", keep / "03-c"
    open_train(last, tmp_path / "encrypted", key=user)
    encrypted = json.loads((tmp_path / "encrypted" / "sum.he.json").read_text())
    assert decrypt(encrypted["sum"], private) == 42

    private_key = write_key(tmp_path / "private", private)
    open_train(last, output, key=user, paillier_key=private_key)
    assert json.loads((output / "sum.he.json").read_text()) == {**encrypted, "sum": 42}

    other = write_key(tmp_path / "other", {**PRIVATE, "lambda": str(LAMBDA // 2)})
    assert_not_opened(
        SettingsError,
        "key-of-someone-else",
        last,
        tmp_path / "refused",
        key=user,
        paillier_key=other,
    )


def test_a_train_without_a_public_key_needs_it_beside_the_private_one(
    opt: Path, output: Path, tmp_path: Path
) -> None:
    key = write_key(tmp_path / "alone", PRIVATE)
    assert_not_opened(SettingsError, "paillier-key-unusable", opt, output, paillier_key=key)
    said = open_train(
        opt, output, paillier_key=write_key(tmp_path / "key", {**PRIVATE, "publicKey": PUBLIC})
    )
    assert "no result has .he.json in its name" in said


def test_the_command_takes_the_key(opt: Path, output: Path, tmp_path: Path) -> None:
    key = write_key(tmp_path / "key", PUBLIC)
    words: list[str | Path] = ["decrypt-results", opt, "--key", key_file_of(None)]
    words += ["--output", output]
    done = pht(*words, "--paillier-key", key)
    assert (done.status, done.code) == (78, "paillier-key-unusable")
    assert not output.exists()
