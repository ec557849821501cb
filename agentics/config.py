"""The operator's agentics.toml over the shipped defaults; resolves what bundles declare to what is here."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field, ValidationError, field_validator

from agentics.errors import ConfigError
from agentics.model.document.record import Record
from agentics.model.document.strict_types import refuse
from agentics.paths import checked
from agentics.policy.network import refusal

FILE = "agentics.toml"
EVALUATOR_UID = 10002
FEWEST_UIDS = 16
RESERVED_UIDS = (65533, 65534, 65535)
"""The supervisor of coexecuted containers uses the first. On many systems the others mean `nobody` and "no user"."""
MOST_UID = (1 << 31) - 1
Relax = Literal["writable_root", "root_user", "default_seccomp", "capabilities", "network"]


class ImageRule(Record):
    """`target` and `reference` are shell patterns; `platform` None is whatever the local image has."""

    target: str = "*"
    reference: str
    image: str
    platform: str | None = None


class Images(Record):
    map: tuple[ImageRule, ...] = ()


class RelaxRule(Record):
    """What images matching the pattern (as declared, or as used) are spared. Evidence says so with every result."""

    image: str
    allow: tuple[Relax, ...]


class RuntimeRule(Record):
    """What runs the containers of these targets and roles. Both are shell patterns; roles are those of evidence."""

    target: str = "*"
    role: str = "*"
    runtime: str = Field(min_length=1)


class Sandbox(Record):
    """`engine`: its address, None to look for one. `scratch`: where places are made; the engine must see that path.
    `runtime`: of the containers that no rule of `runtimes` names, None for the engine's default. `uids`: first and last
    of the users that participant code gets where we are root, each container its own. The default lies between the
    users of people and services (to 65535) and those of user namespaces (from 100000), as Linux distributions give
    them."""

    engine: str | None = None
    scratch: Path | None = None
    places: Literal["auto", "loop", "tmpfs", "directory"] = "auto"
    runtime: str | None = Field(default=None, min_length=1)
    runtimes: tuple[RuntimeRule, ...] = ()
    uids: str = "70000-70999"
    relax: tuple[RelaxRule, ...] = ()

    @field_validator("uids")
    @classmethod
    def _say_a_range(cls, text: str) -> str:
        first, _, last = text.partition("-")
        if not (first.isdecimal() and last.isdecimal()):
            msg = f"{text!r} is not two numbers with a - between them"
            raise ValueError(msg)
        numbers = range(int(first), int(last) + 1)
        if len(numbers) < FEWEST_UIDS or numbers[0] <= EVALUATOR_UID or numbers[-1] > MOST_UID:
            msg = f"{text!r} is not {FEWEST_UIDS} numbers or more between {EVALUATOR_UID + 1} and {MOST_UID}"
            raise ValueError(msg)
        if any(number in numbers for number in RESERVED_UIDS):
            msg = f"{text!r} has a number that nobody may have: {', '.join(map(str, RESERVED_UIDS))}"
            raise ValueError(msg)
        return text

    @property
    def uid_range(self) -> range:
        """The users that `uids` means."""
        first, _, last = self.uids.partition("-")
        return range(int(first), int(last) + 1)


class CaseBounds(Record):
    """`jobs`: cases in flight. `undisturbed`: patterns of challenge names whose cases run one at a time."""

    jobs: int | None = Field(default=None, ge=1)
    undisturbed: tuple[str, ...] = ()


class SetupKeeping(Record):
    """What challenge setups leave. `reuse`: it is kept on this machine, and later evaluations take it. `keep_bytes`:
    how much is kept at most; None: 20 GiB, or a tenth of the disk where that is less."""

    reuse: bool = True
    keep_bytes: int | None = Field(default=None, ge=0)


class EvidenceBounds(Record):
    """How much of what one case left is kept: `case_bytes` of content, `case_entries` files and empty directories,
    `case_name_bytes` of their paths. Evaluators see all of it."""

    case_bytes: int = Field(default=8 << 20, ge=0)
    case_entries: int = Field(default=256, ge=0)
    case_name_bytes: int = Field(default=64 << 10, ge=0)


class OwnStage(Record):
    """A stage of the operator's own in every trial whose plan has the stage `after`. It is trusted: it sees what the
    stages of a trial see."""

    name: str
    after: str
    options: dict[str, Any] = Field(default_factory=dict)


class RetryBounds(Record):
    """How often a trial is tried when the infrastructure failed, and the first pause between, in seconds."""

    attempts: int = Field(default=3, ge=1, le=10)
    wait_s: float = Field(default=2.0, ge=0, le=300)


class JobLimits(Record):
    """What bounds a model evaluation; nothing of it changes what is measured. Seconds: `start_s` for a worker's start,
    `request_s` for one request to a server with all of its tries, `task_s` for a task with its judges, `stop_s` for a
    worker that was told to stop. After `consecutive_failures` requests that failed one after the other a server is
    asked no more."""

    start_s: float = Field(default=600, gt=0)
    request_s: float = Field(default=300, gt=0)
    task_s: float = Field(default=86400, gt=0)
    stop_s: float = Field(default=30, gt=0)
    consecutive_failures: int = Field(default=10, ge=1)


class Lighteval(Record):
    """Model evaluations. Folders are relative to this file. `plugins`, `suites`: folders of them (`suites` also fsspec
    URLs), `templates`: of how judges are asked. `data`: a folder of datasets as `<organisation>/<name>`, for workers
    without a network. `hub`: a folder in which workers keep the models and data sets that they take from the Hugging
    Face Hub; without it, or without [network] allowed, they take none. `worker`: `container`, or the interpreter of an
    environment on this machine; [images] says which image."""

    plugins: tuple[Path, ...] = ()
    suites: tuple[str, ...] = ()
    data: Path | None = None
    hub: Path | None = None
    templates: tuple[Path, ...] = ()
    worker: str = "container"
    limits: JobLimits = JobLimits()

    @property
    def is_local(self) -> bool:
        """Whether workers are processes of this machine."""
        return self.worker != "container"


class Storage(Record):
    """Where artifacts may go. `schemes` of URLs; `roots`: they lie below one of these, anywhere where there is none."""

    schemes: tuple[str, ...] = ("file", "memory", "s3")
    roots: tuple[str, ...] = ()

    @field_validator("roots")
    @classmethod
    def _say_where(cls, roots: tuple[str, ...]) -> tuple[str, ...]:
        for root in roots:
            # A relative one would allow another folder to whoever starts elsewhere.
            if not root.startswith("/") and "://" not in root:
                msg = f"{root!r} is neither an absolute path nor a URL"
                raise ValueError(msg)
        return roots


class LoadBounds(Record):
    """`doubtful_share`: a result is called doubtful when others took more than this share of the machine's processor
    time while it was measured, and something had to wait for a core. With 1 no result ever is."""

    doubtful_share: float = Field(default=0.2, gt=0, le=1)


class NetworkGrant(Record):
    """What stages that declare network get. `allowed` false: no stage gets network, and one that declares it is not
    started. `environment`: variables by name; proxies reach programs under both spellings. `ca_bundle`: a PEM file."""

    allowed: bool = True
    ca_bundle: Path | None = None
    environment: dict[str, str] = Field(default_factory=dict, repr=False)

    @field_validator("environment")
    @classmethod
    def _leave_what_the_contract_sets(cls, environment: dict[str, str]) -> dict[str, str]:
        for name, value in environment.items():
            why = refusal(name)
            if why is not None:
                hint = "a stage gets from [network.environment] only what its bundle's contract does not set"
                refuse("refused_name", why, hint=hint)
            if "\0" in value:
                refuse("refused_value", f"the value of {name} holds a NUL", hint="an environment cannot carry it")
        return environment


class Config(Record):
    """All of it. `source` is the operator's file, if there is one."""

    images: Images = Images()
    sandbox: Sandbox = Sandbox()
    cases: CaseBounds = CaseBounds()
    setup: SetupKeeping = SetupKeeping()
    evidence: EvidenceBounds = EvidenceBounds()
    retry: RetryBounds = RetryBounds()
    lighteval: Lighteval = Lighteval()
    storage: Storage = Storage()
    network: NetworkGrant = NetworkGrant()
    load: LoadBounds = LoadBounds()
    stages: tuple[OwnStage, ...] = ()
    source: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """What a declared image becomes here. `mapped`: by a rule or a flag, rather than taken as declared."""

    used: str
    platform: str | None
    mapped: bool


def load(start: Path | None = None) -> Config:
    """The nearest agentics.toml from `start` upwards, else the user's, over the defaults. Raises ConfigError, and
    UsageError (bad_path) for a path in it that none can be."""
    defaults = tomllib.loads(resources.files("agentics").joinpath("defaults.toml").read_text(encoding="utf-8"))
    source = find(start or Path.cwd())
    own = _parse(source) if source else {}
    merged: dict[str, Any] = {
        table: {**defaults.get(table, {}), **own.get(table, {})} for table in defaults | own if table != "stages"
    }
    merged["stages"] = own.get("stages", [])
    shipped = defaults["images"]["map"]
    merged["images"]["map"] = [*own.get("images", {}).get("map", []), *shipped]
    try:
        config = Config.model_validate({**merged, "source": source})
    except ValidationError as error:
        raise _wrong(source, error) from error
    for key, path in _paths(config):
        checked(path, f"{source}: {key}", "name")
    return config


def find(start: Path) -> Path | None:
    """AGENTICS_CONFIG if set, the nearest agentics.toml upwards, or the user's own."""
    named = os.environ.get("AGENTICS_CONFIG")
    if named:
        return checked(named, "AGENTICS_CONFIG", "file")
    home = os.environ.get("XDG_CONFIG_HOME")
    user = Path(home or Path.home() / ".config") / "agentics" / FILE
    checked(user, "the configuration below XDG_CONFIG_HOME" if home else "the configuration below HOME", "name")
    candidates = [folder / FILE for folder in (start, *start.parents)] + [user]
    return next((path for path in candidates if path.is_file()), None)


def resolve(config: Config, target: str, reference: str, overrides: tuple[tuple[str, str], ...] = ()) -> Resolution:
    """What to use for an image that a bundle declares for a target: the flag first, then the rules, then itself."""
    for wanted, local in overrides:
        if fnmatchcase(reference, wanted):
            return Resolution(used=local, platform=None, mapped=True)
    for rule in config.images.map:
        if fnmatchcase(target, rule.target) and fnmatchcase(reference, rule.reference):
            return Resolution(used=rule.image, platform=rule.platform, mapped=True)
    return Resolution(used=reference, platform=None, mapped=False)


def relaxed(config: Config, *references: str) -> frozenset[Relax]:
    """What the operator spares an image that goes by these names. No rule opens a network that [network] forbids."""
    return frozenset(
        item
        for rule in config.sandbox.relax
        if any(fnmatchcase(reference, rule.image) for reference in references)
        for item in rule.allow
        if item != "network" or config.network.allowed
    )


def runtime_of(config: Config, target: str, role: str) -> str | None:
    """What runs a container of that role: the first rule that matches, then [sandbox] runtime. None: the engine's
    default."""
    for rule in config.sandbox.runtimes:
        if fnmatchcase(target, rule.target) and fnmatchcase(role, rule.role):
            return rule.runtime
    return config.sandbox.runtime


def _paths(config: Config) -> Iterator[tuple[str, Path]]:
    """The paths of this machine that the configuration names, each with its key and as it is used."""
    base = config.source.parent if config.source else Path()
    if config.sandbox.scratch is not None:
        yield "sandbox.scratch", config.sandbox.scratch
    if config.network.ca_bundle is not None:
        yield "network.ca_bundle", base / config.network.ca_bundle
    lighteval = config.lighteval
    if lighteval.data is not None:
        yield "lighteval.data", base / lighteval.data
    if lighteval.hub is not None:
        yield "lighteval.hub", base / lighteval.hub
    if lighteval.is_local:
        yield "lighteval.worker", Path(lighteval.worker)
    suites = [place for place in lighteval.suites if "://" not in place]
    lists: dict[str, Sequence[str | Path]] = {
        "plugins": lighteval.plugins,
        "suites": suites,
        "templates": lighteval.templates,
    }
    yield from ((f"lighteval.{key}.{i}", base / place) for key, each in lists.items() for i, place in enumerate(each))
    roots = config.storage.roots
    yield from ((f"storage.roots.{i}", Path(root)) for i, root in enumerate(roots) if root.startswith("/"))


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{path}: {error.strerror}"
        raise ConfigError(msg, hint="check AGENTICS_CONFIG or the file's permissions") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: {error}"
        raise ConfigError(msg, hint="the file must be TOML") from error


def _wrong(source: Path | None, error: ValidationError) -> ConfigError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    hint = first.get("ctx", {}).get("hint")
    if first["type"] == "string_type":
        hint = "write it in quotes"
    if first["type"] == "extra_forbidden":
        key, beside = str(first["loc"][-1]), _beside(first["loc"][:-1])
        near = difflib.get_close_matches(key, beside, 1) or difflib.get_close_matches(key, _keys(), 1)
        hint = f"did you mean {near[0]!r}?" if near else "this key is not known here"
    return ConfigError(f"{source}: {where}: {first['msg']}", hint=hint)


def _beside(table: Sequence[int | str]) -> list[str]:
    """The keys that the table at this place may have."""
    model: type[Record] = Config
    for part in table:
        if isinstance(part, str):
            kind = model.model_fields[part].annotation
            model = next(
                each for each in (kind, *get_args(kind)) if isinstance(each, type) and issubclass(each, Record)
            )
    return [*model.model_fields]


def _keys() -> list[str]:
    tables = (
        Config,
        Images,
        Sandbox,
        CaseBounds,
        SetupKeeping,
        EvidenceBounds,
        RetryBounds,
        Lighteval,
        Storage,
        NetworkGrant,
        LoadBounds,
    )
    models = (*tables, JobLimits, ImageRule, RuntimeRule, RelaxRule, OwnStage)
    return [name for model in models for name in model.model_fields]
