"""What a job leaves behind: names that every file system takes, LightEval's layout, and rows that come back from it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentics.errors import InvalidDocument, Refused
from agentics.model.evidence.trial_evidence import JobFacts
from agentics.model.evidence.verdict import Verdict
from agentics.model.job.jobspec import JobSpec
from agentics.model.job.portable_names import portable_name, portable_path
from agentics.model.job.result_files import JobMetadata, StoredFile
from agentics.model.job.suite import SuiteScore
from agentics.model.job.worker_protocol import MetricValue
from agentics.policy.jobs.artifacts import (
    FinishedJob,
    TaskEnd,
    averages,
    details_path,
    metadata,
    results_file,
    results_path,
)
from agentics.policy.jobs.ingestion import INGESTER, Expected, ingest
from tests.policy.jobfacts import ALL_HASHES, answer, job_facts, judgements, jury, result, seed_report

NAMES = [
    ("sums|0", "sums|0"),
    ("mmlu:anatomy|5", "mmlu:anatomy|5"),
    ("a/b\\c", "a%2Fb%5Cc"),
    ("plain-1.0_x", "plain-1.0_x"),
    ("..", "%2E%2E"),
    (".hidden", "%2Ehidden"),
    ("-rf", "%2Drf"),
    ("end.", "end%2E"),
    ("CON", "%43ON"),
    ("nul.txt", "%6Eul.txt"),
    ("~", "%7E"),
    ("é", "%C3%A9"),
    ("", "%"),
    ('<>"?*\0\n ', "%3C%3E%22%3F%2A%00%0A%20"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_a_name_is_made_portable(text, name):
    assert portable_name(text) == name


@given(st.text(max_size=300))
def test_whatever_the_text_its_name_is_one_plain_file_name(text):
    name = portable_name(text)
    assert 0 < len(name) <= 150
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-%@+=,|:")
    assert name[0] not in ".-"
    assert name[-1] != "."


@given(st.text(max_size=40), st.text(max_size=40))
def test_two_texts_never_share_a_name(one, other):
    assert (portable_name(one) == portable_name(other)) == (one == other)


@pytest.mark.parametrize(
    ("model", "path"),
    [("org/name", "org/name"), ("../../etc", "%2E%2E/%2E%2E/etc"), ("/abs//x/", "abs/x"), ("", "%"), ("/", "%")],
)
def test_a_models_path_stays_below_its_folder(model, path):
    assert portable_path(model) == path


ENDED = "2026-01-02T03:04:05.678901Z"


def test_paths_are_lightevals_with_portable_names():
    assert results_path("org/m", ENDED) == "results/org/m/results_2026-01-02T03-04-05.678901.json"
    stamp = "2026-01-02T03-04-05.678901"
    assert details_path("org/m", ENDED, "mmlu:a|5") == f"details/org/m/{stamp}/details_mmlu:a|5_{stamp}.parquet"
    assert results_path("m", "2026-01-02T03:04:05Z").endswith("results_2026-01-02T03-04-05.000000.json")


SPEC = {
    "backend": {"type": "accelerate", "model_name": "org/m", "model_path": "/secret/place", "api_key_env": "KEY"},
    "tasks": [{"id": "sums"}],
    "artifacts": {"output_dir": "out"},
    "custom_plugins": [{"name": "p", "version": "1", "sha256": "sha256:" + "0" * 64}],
    "generation": {"temperature": 0.0},
    "num_fewshot_seeds": 2,
}
PASSED = Verdict(status="passed", outcome="success")
BROKEN = Verdict(status="error", reason="dataset_missing", fault="challenge", outcome="error")


def end(task="sums", seeds=None, verdict=PASSED, **score):
    answers = [answer(0), answer(1)]
    facts = job_facts(answers, seeds or [seed_report(0, ALL_HASHES, em=0.5), seed_report(1, ALL_HASHES, em=0.7)])
    made = result(answers, facts=facts, task=task, **score)
    return TaskEnd(facts=facts.model_copy(update={"result": made}), verdict=verdict)


def finished(tasks=None, **more):
    said = FinishedJob(
        agentics_version="0.1",
        run_id="run-1",
        variant="m",
        spec=JobSpec.model_validate(SPEC),
        jobspec_digest="sha256:j",
        plan_digest="sha256:p",
        started_at="2026-01-02T03:04:00Z",
        ended_at=ENDED,
        tasks={"sums|0": end()} if tasks is None else tasks,
        image="sha256:i",
        model_revision="sha256:m",
    )
    return replace(said, **more)


def written(job):
    return json.loads(results_file(job).model_dump_json())


def test_a_results_file_has_lightevals_keys_and_ours():
    found = written(finished())
    assert list(found) == [
        "config_general",
        "results",
        "versions",
        "config_tasks",
        "summary_tasks",
        "summary_general",
        "agentics",
    ]
    assert found["results"] == {"sums|0": {"em": 0.6}, "all": {"em": 0.6}}
    assert found["versions"] == {"sums|0": 1}
    assert found["config_tasks"]["sums|0"] == {"name": "sums", "version": 1, "effective_num_docs": 4, "num_fewshots": 0}
    assert found["summary_tasks"]["sums|0"]["hashes"] == ALL_HASHES
    assert found["summary_tasks"]["sums|0"]["padded"] is None
    general = found["config_general"]
    assert (general["start_time"], general["end_time"]) == ("2026-01-02T03:04:00Z", ENDED)
    assert general["total_evaluation_time_secondes"] == "5.678901"
    assert (general["model_name"], general["num_fewshot_seeds"], general["job_id"]) == ("org/m", 2, "run-1")
    seeds = found["agentics"]["tasks"]["sums|0"]["metrics"]["em"]["seeds"]
    assert [seed["value"] for seed in seeds] == [0.5, 0.7]


def test_one_seed_has_its_standard_error_beside_its_value():
    found = written(finished({"sums|0": end(seeds=[seed_report(em=0.5)])}))
    assert found["results"]["sums|0"] == {"em": 0.5, "em_stderr": 0.1}


def test_a_metric_without_a_value_is_left_out_and_named_elsewhere():
    seeds = [seed_report(em=MetricValue(value=None, n=2), f1=0.5)]
    text = results_file(finished({"sums|0": end(seeds=seeds)})).model_dump_json()
    found = json.loads(text, parse_constant=pytest.fail)
    assert found["results"] == {"sums|0": {"f1": 0.5, "f1_stderr": 0.1}, "all": {"f1": 0.5}}
    assert found["agentics"]["unmeasured"] == {"sums|0": ["em"], "all": ["em"]}
    assert found["agentics"]["tasks"]["sums|0"]["metrics"]["em"]["mean"] is None


def test_a_results_file_with_a_metric_without_a_value_is_read_back():
    nothing = end(seeds=[seed_report(em=MetricValue(value=None, n=2))])
    text = results_file(finished({"sums|0": nothing})).model_dump_json()
    whole = next(row for row in ingest(text.encode(), EXPECTED).metrics if row.seed is None)
    assert (whole.metric, whole.value) == ("em", None)
    found = json.loads(text)
    found["results"]["sums|0"]["em"] = 0.0
    with pytest.raises(Refused) as caught:
        ingest(json.dumps(found).encode(), EXPECTED)
    assert caught.value.code == "results_altered"


def test_neither_a_place_on_this_machine_nor_where_a_key_is_goes_into_results():
    job = finished()
    for document in (results_file(job), metadata(job)):
        assert "/secret/place" not in document.model_dump_json()
        assert '"KEY"' not in document.model_dump_json()


def test_a_task_without_a_result_is_named_and_not_averaged():
    broken = TaskEnd(facts=JobFacts(), verdict=BROKEN)
    found = written(finished({"sums|0": end(), "gone|0": broken}))
    assert found["agentics"]["missing"] == {"gone|0": "dataset_missing"}
    assert set(found["results"]) == {"sums|0", "all"}
    assert set(found["config_tasks"]) == {"sums|0"}


def test_a_job_of_which_nothing_came_still_has_a_file():
    found = written(finished({"gone|0": TaskEnd(facts=JobFacts(), verdict=BROKEN)}))
    assert found["results"] == {}
    assert found["summary_general"]["hashes"] == dict.fromkeys(ALL_HASHES)


def made(task, **metrics):
    return end(task, [seed_report(**metrics)]).facts.result


def test_averages_are_of_metrics_that_all_tasks_have():
    found = averages({"g:a|0": made("g:a", em=0.2, f1=0.5), "g:b|0": made("g:b", em=0.4), "x|0": made("x", em=0.9)})
    assert found == {
        "g:_average|0": {"em": pytest.approx(0.3)},
        "all": {"em": pytest.approx(0.5)},
    }


def test_a_group_of_one_task_has_no_average_of_its_own():
    other = made("g:b", em=0.4).model_copy(update={"fewshot": 5})
    assert averages({"g:a|0": made("g:a", em=0.2), "g:b|5": other}).keys() == {"all"}


def test_an_average_over_what_is_no_number_is_none():
    nothing = MetricValue(value=None, n=0)
    found = averages({"g:a|0": made("g:a", em=0.2), "g:b|0": made("g:b", em=nothing)})
    assert found == {"g:_average|0": {"em": None}, "all": {"em": None}}


def test_metadata_has_what_lighteval_does_not_record():
    judges = jury("a")
    answers = [answer(0), answer(1)]
    judged = result(answers, said=judgements(a="YN"), judges=judges)
    one = TaskEnd(facts=job_facts(answers).model_copy(update={"result": judged}), verdict=PASSED)
    gone = TaskEnd(facts=JobFacts(), verdict=BROKEN)
    stored = StoredFile(path="jobspec.json", sha256="sha256:s", bytes=10)
    job = finished({"sums|0": one, "gone|0": gone}, templates=judges.templates, suite_digest="sha256:u")
    found = metadata(job, [stored])
    assert found.versions == {"lighteval": "0.13.0", "torch": None}
    assert (found.worker_image, found.model_revision, found.suite_digest) == ("sha256:i", "sha256:m", "sha256:u")
    assert found.duration_s == pytest.approx(5.678901)
    assert found.plugins[0].sha256 == "sha256:" + "0" * 64
    assert found.templates["a"].parse.kind == "regex"
    assert found.files == (stored,)
    task = found.tasks["sums|0"]
    assert (task.config, task.config_sha256) == ({"name": "sums", "version": 1}, "sha256:c")
    assert (task.prompt_sha256, task.data_sha256) == ("sha256:p", "sha256:d")
    assert (task.generation, task.documents, task.seeds) == ({"max_new_tokens": 8}, 4, (0,))
    assert (task.answers.asked, task.judges[0].answered, task.comparability) == (2, 2, judged.comparability)
    lost = found.tasks["gone|0"]
    assert (lost.status, lost.reason, lost.fault, lost.answers) == ("error", "dataset_missing", "challenge", None)
    assert JobMetadata.model_validate_json(found.model_dump_json()) == found


def of_commit(ref, commit):
    answers = [answer(0), answer(1)]
    facts = job_facts(answers)
    ready = facts.ready.model_copy(update={"data_commit": "d" * 40})
    facts = facts.model_copy(
        update={"ready": ready, "report": facts.report.model_copy(update={"model_commit": commit})}
    )
    made = result(answers, facts=facts, task=ref, model_revision=None)
    return TaskEnd(facts=facts.model_copy(update={"result": made}), verdict=PASSED)


@pytest.mark.parametrize(("other", "common"), [("a" * 40, "a" * 40), ("b" * 40, None)])
def test_metadata_has_the_commits_of_what_came_from_the_hub(other, common):
    job = finished({"x|0": of_commit("x", "a" * 40), "y|0": of_commit("y", other)}, model_revision=None)
    found = metadata(job)
    assert found.model_revision == common
    assert [task.model_revision for task in found.tasks.values()] == ["a" * 40, other]
    assert [task.data_commit for task in found.tasks.values()] == ["d" * 40] * 2
    assert {one.provenance.data_commit for one in results_file(job).agentics.tasks.values()} == {"d" * 40}


EXPECTED = Expected(run_id="run-1", jobspec_digest="sha256:j", plan_digest="sha256:p")
SCORE = SuiteScore(suite="s", version="1", aggregation="mean", policy="strict", score=0.6)


def data(job=None, change=lambda found: None):
    found = json.loads(results_file(job or finished(suite=SCORE)).model_dump_json())
    change(found)
    return json.dumps(found).encode()


def test_d13_ingesting_twice_gives_the_same_rows():
    one, other = ingest(data(), EXPECTED), ingest(data(), EXPECTED)
    assert one.model_dump_json() == other.model_dump_json()
    rows = [(row.task, row.seed, row.metric, row.value, row.sd, row.n, row.primary) for row in one.metrics]
    assert rows == [
        ("sums", None, "em", pytest.approx(0.6), pytest.approx(0.02**0.5), 8, True),
        ("sums", 0, "em", 0.5, None, 4, True),
        ("sums", 1, "em", 0.7, None, 4, True),
    ]
    assert {row.ingester_version for row in (*one.metrics, *one.hashes)} == {INGESTER}
    assert (one.hashes[0].hash_examples, one.hashes[0].reproducible) == (ALL_HASHES["hash_examples"], True)
    assert one.suite == SCORE


@pytest.mark.parametrize("name", ["run_id", "jobspec_digest", "plan_digest"])
def test_d13_a_foreign_or_stale_results_file_is_refused(name):
    with pytest.raises(Refused, match=name.replace("_", " ")) as caught:
        ingest(data(), replace(EXPECTED, **{name: "other"}))
    assert caught.value.code == "results_foreign"


@pytest.mark.parametrize(("version", "taken"), [("1.7", True), ("2.0", False), ("0.9", False), ("10.0", False)])
def test_d13_rules_of_another_major_version_are_refused(version, taken):
    later = data(change=lambda found: found["agentics"].update(ingester_version=version))
    if taken:
        assert ingest(later, EXPECTED).metrics[0].ingester_version == INGESTER
        return
    with pytest.raises(Refused) as caught:
        ingest(later, EXPECTED)
    assert caught.value.code == "ingester_unknown"


ALTERED = [
    lambda found: found["results"]["sums|0"].update(em=0.99),
    lambda found: found["results"].pop("sums|0"),
    lambda found: found["results"]["sums|0"].pop("em"),
    lambda found: found["agentics"].update(unmeasured={"sums|0": ["em"]}),
    lambda found: found["agentics"]["tasks"]["sums|0"]["metrics"]["em"].update(mean=0.99),
]


@pytest.mark.parametrize("change", ALTERED)
def test_d13_values_that_contradict_each_other_are_refused(change):
    with pytest.raises(Refused) as caught:
        ingest(data(change=change), EXPECTED)
    assert caught.value.code == "results_altered"


BAD = [
    b"",
    b"[]",
    b"{}",
    b"\xff",
    b'{"results": {"sums|0": {"em": NaN}}}',
    data(change=lambda found: found["results"]["sums|0"].update(em=None)),
    data(change=lambda found: found.pop("agentics")),
    data(change=lambda found: found.update(more=1)),
    data(change=lambda found: found["agentics"].update(ingester_version="one")),
    data(change=lambda found: found["agentics"].update(schema_version="job_results_v2")),
    data()[:-20],
]


@pytest.mark.parametrize("text", BAD, ids=range(len(BAD)))
def test_d13_what_is_no_results_file_of_ours_is_refused(text):
    with pytest.raises(InvalidDocument):
        ingest(text, EXPECTED)
