"""crds/ and docs/reference.md: up to date, and a check that notices when they are not."""

from pathlib import Path

import pytest
import yaml

from specsync.resources import KINDS, crds, reference
from specsync.resources.reasons import Reason
from tests.conftest import PROJECT


def test_the_files_in_the_repository_are_up_to_date() -> None:
    assert crds.main(["--check", str(PROJECT / "crds")]) == 0
    assert reference.main(["--check", str(PROJECT / "docs" / "reference.md")]) == 0


def test_what_is_written_passes_the_check(tmp_path: Path) -> None:
    assert crds.main([str(tmp_path / "crds")]) == 0
    assert crds.main(["--check", str(tmp_path / "crds")]) == 0
    assert reference.main([str(tmp_path / "reference.md")]) == 0
    assert reference.main(["--check", str(tmp_path / "reference.md")]) == 0


def test_the_check_names_each_file_that_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crds.main([str(tmp_path)])
    (tmp_path / "syncjobs.yaml").unlink()
    (tmp_path / "changesets.yaml").write_text("")
    (tmp_path / "widgets.yaml").write_text("")
    assert crds.main(["--check", str(tmp_path)]) == 1
    assert set(capsys.readouterr().err.splitlines()) == {
        f"{tmp_path}/syncjobs.yaml is missing",
        f"{tmp_path}/changesets.yaml differs from the models",
        f"{tmp_path}/widgets.yaml belongs to no kind",
        "Run: python -m specsync.resources.crds",
    }
    assert (tmp_path / "changesets.yaml").read_text() == "", "--check writes nothing"


def test_the_folder_is_a_kustomization_of_all_kinds() -> None:
    files = crds.generated_files()
    listed = yaml.safe_load(files["Kustomization"])["resources"]
    assert listed == [f"{kind.definition.plural}.yaml" for kind in KINDS]
    assert {*listed, "Kustomization"} == set(files)


def test_definitions_are_known_to_kubectl_by_short_names_and_category() -> None:
    names = [crds.crd(kind)["spec"]["names"] for kind in KINDS]
    short = [["dep"], ["sjob"], ["snap"], ["chg"], ["achan"], ["apref"], ["adel"]]
    assert [n["shortNames"] for n in names] == short
    assert all(n["categories"] == ["specsync"] for n in names)


def test_status_is_a_subresource_of_those_who_have_one() -> None:
    with_status = {k.definition.kind for k in KINDS if "subresources" in crds.crd(k)["spec"]["versions"][0]}
    assert with_status == {"Dependency", "SyncJob", "AlertChannel", "AlertDelivery"}


def test_the_reference_has_every_reason_and_every_field_once() -> None:
    page = reference.reference()
    for reason in Reason:
        assert page.count(f"| `{reason.value}` | {reason.meaning}".replace("<", "&lt;")) == 1
    assert page.count("| `spec.interval` | string") == 1
    assert "| `status.conditions[].lastTransitionTime` | time, required |" in page
    assert "| `spec.cancel` | boolean | `false` | true stops the job; it can't be taken back. |" in page
    assert "| `specsync.dev/requestedAt` | Dependency |" in page


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_word_with_a_meaning(reason: Reason) -> None:
    assert reason.value.isalpha()
    assert reason.value[0].isupper()
    assert reason.meaning.endswith(".")
