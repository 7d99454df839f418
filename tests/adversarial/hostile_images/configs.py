"""Configurations that let another program run, or let ours run differently."""

import json
from typing import Any

from tests.adversarial.hostile_images.case import Case
from tests.adversarial.hostile_images.images import TRAIN, Image, docker_archive
from tests.archives import MASTER_SETTINGS, sha256

HONEST = TRAIN
EVIL_START = ["/bin/sh", "-c", "evil"]
PATH, LANG = MASTER_SETTINGS["Env"]


def setting(name: str, effect: str, code: str, twin: Image = HONEST, **settings: Any) -> Case:
    """Return a case of one setting."""
    [where] = settings
    return Case(
        name=name,
        effect=effect,
        hostile=HONEST.set(**settings),
        twin=twin,
        code=code,
        where=where,
    )


def variable(name: str, effect: str, text: str) -> Case:
    """Return a case of one more variable; the twin has a harmless one."""
    return Case(
        name=name,
        effect=effect,
        hostile=HONEST.set(Env=[PATH, LANG, text]),
        twin=HONEST.set(Env=[PATH, LANG, "TRAIN_NAME=harmless"]),
        code="env-refused",
        where=text.partition("=")[0],
    )


def command(name: str, effect: str, *words: str) -> Case:
    """Return a case of another command."""
    return Case(
        name=name,
        effect=effect,
        hostile=HONEST.set(Cmd=list(words)),
        twin=HONEST.set(Cmd=["python", "-u", "/opt/pht_train/train.py", "--fast"]),
        code="command-not-signed",
        where="Cmd",
    )


def top(name: str, effect: str, twin: Image = HONEST, **fields: Any) -> Case:
    """Return a case of a member of the whole configuration."""
    [where] = fields
    return Case(
        name=name,
        effect=effect,
        hostile=HONEST.having(**fields),
        twin=twin,
        code="platform-changed",
        where=where,
    )


def text(
    name: str, effect: str, behind: str, more: str, honest: str, where: str, code: str
) -> Case:
    """Return a case of a member that only some readers see, behind another one."""
    old = HONEST.config.decode()
    assert old.count(behind) == 1

    def archive(member: str) -> bytes:
        return docker_archive(HONEST, config=old.replace(behind, f"{behind}, {member}").encode())

    return Case(
        name=name,
        effect=effect,
        hostile=archive(more),
        twin=archive(honest),
        code=code,
        where=where,
    )


SETTINGS = (
    setting(
        "entrypoint",
        "starts its own program instead of ours",
        "entrypoint-changed",
        Entrypoint=EVIL_START,
    ),
    setting(
        "entrypoint-missing",
        "starts its own program instead of ours",
        "entrypoint-changed",
        Entrypoint=None,
    ),
    setting(
        "entrypoint-option",
        "gives our interpreter an option",
        "entrypoint-changed",
        Entrypoint=[*MASTER_SETTINGS["Entrypoint"], "--root"],
    ),
    setting("user", "runs as another user", "user-changed", User="1000"),
    setting(
        "working-folder",
        "starts in another folder",
        "working-dir-changed",
        HONEST.set(WorkingDir="/opt/pht_train"),
        WorkingDir="/tmp",
    ),
    setting(
        "shell",
        "has another shell for what is built on it",
        "shell-changed",
        Shell=["/opt/pht_train/sh"],
    ),
    setting(
        "healthcheck",
        "runs a program beside ours",
        "healthcheck-changed",
        Healthcheck={"Test": ["CMD", "/opt/pht_train/x"]},
    ),
    setting(
        "volume",
        "keeps a folder out of the image",
        "volumes-changed",
        Volumes={"/opt/pht_train": {}},
    ),
    setting(
        "on-build",
        "runs a program when one builds on it",
        "on-build-changed",
        OnBuild=["RUN /opt/pht_train/x"],
    ),
    setting(
        "stop-signal", "ends by a signal of its own", "stop-signal-changed", StopSignal="SIGKILL"
    ),
    Case(
        name="label-of-podman",
        effect="takes from the runner the right to give the train another user",
        hostile=HONEST.set(Labels={"io.containers.capabilities": "chown"}),
        twin=HONEST.set(Labels={"io.buildah.version": "1.39.3"}),
        code="label-refused",
        where="io.containers.capabilities",
    ),
    top("architecture", "is for another processor", architecture="arm64"),
    top("system", "is for another system", os="windows"),
    top("variant", "is for another variant of the processor", variant="v8"),
    variable("preload", "loads a library into our program", "LD_PRELOAD=/opt/pht_train/x.so"),
    variable("library-path", "loads other libraries", "LD_LIBRARY_PATH=/opt/pht_train"),
    variable("audit", "loads a library into our program", "LD_AUDIT=/opt/pht_train/x.so"),
    variable("tunables", "changes the C library", "GLIBC_TUNABLES=glibc.malloc.check=3"),
    variable("converters", "loads converters of texts", "GCONV_PATH=/opt/pht_train"),
    variable("python", "changes Python", "PYTHONPATH=/opt/pht_train"),
    variable("python-launcher", "changes Python", "__PYVENV_LAUNCHER__=/opt/pht_train/x"),
    variable("openssl", "loads a configuration for OpenSSL", "OPENSSL_CONF=/opt/pht_train/x"),
    variable("shell-start", "runs a script in every shell", "BASH_ENV=/opt/pht_train/x"),
    variable("plain-shell-start", "runs a script in every shell", "ENV=/opt/pht_train/x"),
    variable("r", "loads an R profile", "R_PROFILE=/opt/pht_train/x"),
    variable("perl", "loads a Perl module", "PERL5OPT=-Mevil"),
    variable("node", "loads a module of Node.js", "NODE_OPTIONS=--require /opt/pht_train/x"),
    variable("java", "loads an agent of Java", "JAVA_TOOL_OPTIONS=-javaagent:/opt/pht_train/x"),
    variable("old-cuda", "gets all graphics cards, as an image without NVIDIA_…", "CUDA_VERSION=9"),
    variable("protection", "lowers a protection of ours", "PHT_ALLOW_UNPROTECTED_KEY=1"),
    variable("station-id", "names another station", "STATION_ID=other"),
    variable("private-key", "brings a private key", "RC_PRIVATE_KEY=x"),
    Case(
        name="no-name",
        effect="has a variable without a name",
        hostile=HONEST.set(Env=[PATH, LANG, "=x"]),
        twin=HONEST.set(Env=[PATH, LANG, "X=x"]),
        code="env-malformed",
        where="Env",
    ),
    Case(
        name="path",
        effect="finds its own programs first",
        hostile=HONEST.set(Env=[f"PATH=/opt/pht_train:{PATH.partition('=')[2]}", LANG]),
        twin=HONEST.set(Env=[PATH, LANG, "TRAIN_NAME=harmless"]),
        code="env-changed",
        where="PATH",
    ),
    Case(
        name="path-twice",
        effect="has a variable twice, of which the last counts",
        hostile=HONEST.set(Env=[PATH, LANG, "PATH=/opt/pht_train"]),
        twin=HONEST.set(Env=[PATH, LANG, "PATHS=/opt/pht_train"]),
        code="env-twice",
        where="PATH",
    ),
    command("command-of-shell", "runs a line of the shell", "/bin/sh", "-c", "evil"),
    command("command-inline", "runs code of its options", "python", "-c", "evil"),
    command("command-unlisted", "runs a file that nobody signed", "python", "/opt/pht_train/x.py"),
    command("command-by-dots", "runs a file elsewhere", "python", "/opt/pht_train/../x/train.py"),
    command(
        "command-own", "runs its own interpreter", "/opt/pht_train/x", "/opt/pht_train/train.py"
    ),
)

LAST_SETTING = '"User": "root"'
LAST_LAYER = f'"{sha256(HONEST.layers[-1])}"]}}'

TEXTS = (
    text(
        "setting-twice",
        "has a setting twice, of which engines take the last",
        LAST_SETTING,
        f'"Entrypoint": {json.dumps(EVIL_START)}',
        '"Labels": {}',
        "has the key 'Entrypoint' twice",
        "archive-malformed",
    ),
    text(
        "setting-in-capitals",
        "has a setting in capitals, which Docker reads as the same",
        LAST_SETTING,
        f'"ENTRYPOINT": {json.dumps(EVIL_START)}',
        '"Labels": {}',
        "config.ENTRYPOINT",
        "key-unknown",
    ),
    text(
        "setting-in-other-letters",
        "has a setting with a letter that Docker reads as an s",
        LAST_SETTING,
        '"U\\u017fer": "1000"',
        '"Labels": {}',
        "config.U\u017fer",
        "key-unknown",
    ),
    text(
        "settings-in-capitals",
        "has all settings a second time, in capitals",
        LAST_LAYER,
        f'"CONFIG": {json.dumps({**MASTER_SETTINGS, "Entrypoint": EVIL_START})}',
        '"author": "x"',
        "CONFIG",
        "key-unknown",
    ),
    text(
        "layers-twice",
        "has the list of layers a second time",
        LAST_LAYER,
        json.dumps({"rootfs": {"type": "layers", "diff_ids": []}})[1:-1],
        '"author": "x"',
        "has the key 'rootfs' twice",
        "archive-malformed",
    ),
)
